"""Follows the changes of a region, whoever makes them.

    python event_watcher.py REGION [HOME]

prints a line for each change until it is interrupted or the region is destroyed: try
`vug put REGION key value` beside it. `python event_watcher.py --demo` prints

    resync first 1
    in-sync
    create second 2
    update first 3
    destroy second
    region-destroy
"""

import sys
import tempfile
import threading

import vug


def line(event: vug.Event) -> str:
    parts = (event.key, event.value)
    return " ".join([event.kind, *(part.decode(errors="replace") for part in parts if part)])


def watch(region: vug.Region, ready: threading.Event | None = None) -> None:
    with region.subscribe(content=True, resynchronise=True) as events:
        for event in events:
            print(line(event), flush=True)
            if ready is not None and event.kind == "in-sync":
                ready.set()


def demo(home: str) -> None:
    region = vug.open(home).region("demo", max_bytes=1 << 20)
    region[b"first"] = b"1"
    ready = threading.Event()
    watcher = threading.Thread(target=watch, args=(region, ready))
    watcher.start()
    ready.wait()
    region[b"second"] = b"2"
    region[b"first"] = b"3"
    del region[b"second"]
    region.destroy_region()
    watcher.join()


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--demo"]:
            with tempfile.TemporaryDirectory(prefix="vug-watch-", dir="/dev/shm") as home:
                demo(home)
        elif len(sys.argv) > 1:
            watch(vug.open(*sys.argv[2:3]).open(sys.argv[1]))
        else:
            sys.exit(__doc__)
    except KeyboardInterrupt:
        pass
    except vug.Error as error:
        sys.exit(f"error: {error}\nhelp: {error.help}")
