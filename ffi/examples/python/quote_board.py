"""Reads a board of quotes in place that programs in C, Rust or Python write.

    python quote_board.py [HOME]

shows the board until it is interrupted. A quote is what the Rust example `quote_board HOME` writes,
and a C struct of the same members is: two doubles and a 64-bit number
(`cargo run --release -p vug --example quote_board HOME` is a writer). Without a writer:
`python quote_board.py HOME --demo` starts one, reads while it writes, and prints

    reading while another process writes
    ACME     17.50   18.50   20000
    GEODE     9.50   10.50   20000
    VUG       3.50    4.50   20000
    no quote was torn
"""

import multiprocessing
import struct
import sys
import time

import vug

QUOTE = struct.Struct("<ddQ")
SYMBOLS = {b"ACME": 17.5, b"GEODE": 9.5, b"VUG": 3.5}
ROUNDS = 20_000


def write(quotes: vug.Region) -> None:
    """Prices go up and down and end where they began; ask is always bid + 1."""
    for n in range(1, ROUNDS + 1):
        for symbol, last in SYMBOLS.items():
            bid = last + (ROUNDS - n) % 100 / 100
            quotes[symbol] = QUOTE.pack(bid, bid + 1, n)


def read(quotes: vug.Region, symbol: bytes) -> tuple[float, float, int] | None:
    view = quotes.view(symbol)
    if view is None:
        return None
    with view:  # the bytes in shared memory, which do not change while they are looked at
        bid, ask, n = QUOTE.unpack_from(view)
        return bid, ask, n


def show(quotes: vug.Region) -> None:
    for symbol in sorted(quotes):
        quote = read(quotes, symbol)
        if quote is not None:
            print(f"{symbol.decode():<6}{quote[0]:>8.2f}{quote[1]:>8.2f}{quote[2]:>8}")


def demo(quotes: vug.Region) -> None:
    # The region is pickled by name; the writer opens it anew.
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(quotes,))
    writer.start()
    print("reading while another process writes", flush=True)
    while not all((quote := read(quotes, symbol)) and quote[2] == ROUNDS for symbol in SYMBOLS):
        for symbol in SYMBOLS:
            quote = read(quotes, symbol)
            assert quote is None or quote[1] == quote[0] + 1, "a quote was seen half written"
    writer.join()
    show(quotes)
    print("no quote was torn")


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--demo"]
    node = vug.open(arguments[0] if arguments else None)
    if "--demo" in sys.argv:
        return demo(node["quotes"])
    quotes = node.open("quotes")  # the writer makes it, perhaps with a schema
    while True:
        print("\033[2J\033[H", end="")
        show(quotes)
        quotes.wait_any()
        time.sleep(0.1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except vug.Error as error:
        sys.exit(f"error: {error}\nhelp: {error.help}")
