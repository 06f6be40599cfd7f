"""Processes share out work by a counter, and count what they did.

    python work_counter.py [HOME]

prints

    4 processes took 1000 pieces, each once
    the shared counter says 1000
"""

import multiprocessing
import sys
import tempfile

import vug

PIECES, PROCESSES = 1000, 4


def work(region: vug.Region, mine: list[int]) -> None:
    taken = []
    # Whoever gets a number has it alone, whatever processes in other languages do meanwhile.
    while (piece := region.increment(b"next")) <= PIECES:
        region.increment(b"done")
        taken.append(piece)
    mine.extend(taken)


def main(home: str) -> None:
    with vug.open(home) as node, multiprocessing.Manager() as manager:
        region = node.region("work", max_bytes=1 << 20)
        region.remove_all([b"next", b"done"])
        taken = manager.list()
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=work, args=(region, taken)) for _ in range(PROCESSES)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sorted(taken) == list(range(1, PIECES + 1)), "a piece was taken twice, or not at all"
        print(f"{PROCESSES} processes took {PIECES} pieces, each once")
        print(f"the shared counter says {region.increment(b'done', 0)}")


if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            main(sys.argv[1])
        else:
            with tempfile.TemporaryDirectory(prefix="vug-work-", dir="/dev/shm") as home:
                main(home)
    except vug.Error as error:
        sys.exit(f"error: {error}\nhelp: {error.help}")
