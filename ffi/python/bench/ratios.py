"""How fast the Python package is, as ratios taken side by side in one run.

    python bench/ratios.py [ROUNDS]

Every figure is the median of ROUNDS (default 7) interleaved rounds, in nanoseconds per operation of
this thread on a processor: nothing here sleeps, and what others do meanwhile does not count.
Goals: a get of 64 bytes through the mapping takes at most 3 times a dict lookup of the same value
plus a copy; a batch of 1,000 gets 5 times as many per second as single calls; a numpy view of 1 MiB
costs what one of 1 KiB costs.
"""

import random
import statistics
import struct
import sys
import tempfile
import time

import vug

ENTRIES = 100_000
BATCH = 1_000


def timed(calls, count):
    start = time.thread_time_ns()
    calls()
    return (time.thread_time_ns() - start) / count


def gets(mapping, keys):
    for key in keys:
        mapping[key]


def copies(mapping, keys):
    for key in keys:
        bytes(mapping[key])


def methods(get, keys):
    for key in keys:
        get(key)


def puts(mapping, keys, value):
    for key in keys:
        mapping[key] = value


def views(region, key, count, frombuffer):
    for _ in range(count):
        with region.view(key) as view:
            frombuffer(view, "u1")


def handles(handle, count):
    get = handle.get
    for _ in range(count):
        get()


def nothing(keys):
    for _ in keys:
        pass


def measure(region, table, keys, frombuffer):
    some = keys[: 20 * BATCH]
    batches = [some[at : at + BATCH] for at in range(0, len(some), BATCH)]
    value = bytes(64)
    many = [[(key, value) for key in keys] for keys in batches]
    handle = region.handle(keys[0])
    # Makes 1,000 objects of 64 bytes from one buffer, which is in the cache, in one call.
    made, bulk = struct.Struct("64s" * BATCH).unpack, bytes(64 * BATCH)
    return {
        "loop alone": (lambda: nothing(some), len(some)),
        "dict lookup": (lambda: gets(table, some), len(some)),
        "dict lookup and copy": (lambda: copies(table, some), len(some)),
        "region[key]": (lambda: gets(region, some), len(some)),
        "region.get(key)": (lambda: methods(region.get, some), len(some)),
        "handle.get()": (lambda: handles(handle, len(some)), len(some)),
        "get_many of 1,000": (lambda: [region.get_many(keys) for keys in batches], len(some)),
        "1,000 bytes objects alone": (lambda: [made(bulk) for _ in batches], len(some)),
        "gather of 1,000": (lambda: [region.gather(keys) for keys in batches], len(some)),
        "get_many, 1,000 hot keys": (
            lambda: [region.get_many(batches[0]) for _ in batches],
            len(some),
        ),
        "region[key], 1,000 hot keys": (
            lambda: [gets(region, batches[0]) for _ in batches],
            len(some),
        ),
        "dict and copy, 1,000 hot keys": (
            lambda: [copies(table, batches[0]) for _ in batches],
            len(some),
        ),
        "region[key] = value": (lambda: puts(region, some, value), len(some)),
        "update of 1,000": (lambda: [region.update(pairs) for pairs in many], len(some)),
        "numpy view of 1 KiB": (lambda: views(region, b"small", 5000, frombuffer), 5000),
        "numpy view of 1 MiB": (lambda: views(region, b"large", 5000, frombuffer), 5000),
    }


def main():
    import numpy

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory(prefix="vug-bench-", dir="/dev/shm") as home:
        region = vug.open(home).region("bench", max_bytes=256 << 20)
        keys = [b"key-%012d" % n for n in range(ENTRIES)]
        random.Random(1).shuffle(keys)
        table = {key: bytearray(64) for key in keys}
        region.put_all([(key, bytes(64)) for key in keys])
        region[b"small"], region[b"large"] = bytes(1 << 10), bytes(1 << 20)
        cases = measure(region, table, keys, numpy.frombuffer)
        times = {name: [] for name in cases}
        for _ in range(rounds):
            for name, (calls, count) in cases.items():
                times[name].append(timed(calls, count))
    median = {name: statistics.median(taken) for name, taken in times.items()}
    for name, nanos in median.items():
        print(f"{name:<32}{nanos:>10.1f} ns")

    def ratio(what, one, other, goal):
        print(f"{what:<58}{median[one] / median[other]:>6.2f}   goal {goal}")

    print()
    ratio("get / (dict lookup and copy)", "region[key]", "dict lookup and copy", "<= 3")
    ratio(
        "get / (dict lookup and copy), hot keys",
        "region[key], 1,000 hot keys",
        "dict and copy, 1,000 hot keys",
        "<= 3",
    )
    ratio("single get / get in a batch of 1,000", "region.get(key)", "get_many of 1,000", ">= 5")
    ratio("single get / get in a gather of 1,000", "region.get(key)", "gather of 1,000", ">= 5")
    alone = "1,000 bytes objects alone"
    ratio("single get / making a bytes object in a batch", "region.get(key)", alone, "none")
    ratio("view of 1 MiB / view of 1 KiB", "numpy view of 1 MiB", "numpy view of 1 KiB", "about 1")


if __name__ == "__main__":
    main()
