"""Subscriptions, listeners, waits; signals; what happens at the end."""

import os
import signal
import sys
import threading

import pytest

import vug


def test_a_subscription_iterates_until_the_region_ends(region):
    with region.subscribe() as events:
        region[b"a"] = b"1"
        region[b"a"] = b"2"
        del region[b"a"]
        region.destroy_region()
        told = [(event.kind, event.key, event.value) for event in events]
    assert told == [
        ("create", b"a", b"1"),
        ("update", b"a", b"2"),
        ("destroy", b"a", None),
        ("region-destroy", None, None),
    ]


def test_poll_wait_and_close(region):
    events = region.subscribe(prefix=b"x")
    assert events.poll() is None and events.wait(timeout=0) is None
    region[b"y"] = b"1"
    region[b"x"] = b"1"
    event = events.wait()
    assert (event.kind, event.key, event.origin) == ("create", b"x", "this-member")
    events.close()
    events.close()
    for use in (events.poll, events.wait, lambda: next(events), lambda: events.position):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_closing_ends_the_wait_of_another_thread(region):
    events = region.subscribe()
    ended = []

    def wait():
        try:
            next(events)
        except ValueError as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    events.close()
    thread.join()
    assert len(ended) == 1


def test_a_wait_lets_other_threads_work(region):
    since = region.token(b"a")
    woken = []
    thread = threading.Thread(target=lambda: woken.append(region.wait(b"a", since)))
    thread.start()
    region[b"a"] = b"1"  # the interpreter is free, or this would wait for ever
    thread.join()
    assert woken == [region.token(b"a")]


def test_waits(region):
    with pytest.raises(TimeoutError):
        region.wait(b"a", timeout=0)
    first = region.put(b"a", b"1").token
    assert region.wait(b"a") == first
    with pytest.raises(TimeoutError):
        region.wait(b"a", ..., timeout=0.001)
    with pytest.raises(TypeError):
        region.wait(b"a", "since")
    del region[b"a"]
    assert region.wait(b"a", first) is None
    position = region.position()
    with pytest.raises(TimeoutError):
        region.wait_any(position, timeout=0)
    region[b"a"] = b"1"
    assert region.wait_any(position) > position


def test_a_listener_is_called_and_stopped(region):
    told, done = [], threading.Event()

    def listen(event):
        told.append(event.kind)
        if event.key == b"end":
            done.set()

    with region.listen(listen) as listener:
        region[b"a"] = b"1"
        region[b"end"] = b""
        done.wait()
    region[b"b"] = b"1"
    assert told == ["create", "create"] and listener.finished


def test_a_listener_that_raises_goes_on(region, monkeypatch):
    raised, done = [], threading.Event()
    monkeypatch.setattr(sys, "unraisablehook", lambda what: raised.append(what.exc_type))

    def listen(event):
        if event.key == b"end":
            done.set()
        raise ZeroDivisionError

    with region.listen(listen):
        region[b"a"] = b"1"
        region[b"end"] = b""
        done.wait()
    assert raised == [ZeroDivisionError] * 2


def test_a_listener_may_stop_itself(region):
    done = threading.Event()

    def listen(event):
        listener.stop()
        done.set()

    listener = region.listen(listen)
    region[b"a"] = b"1"
    done.wait()


def test_dropping_a_listener_stops_it(region):
    told = []
    listener = region.listen(told.append)
    del listener
    region[b"a"] = b"1"
    region.wait(b"a", timeout=0)
    assert told == []


@pytest.mark.parametrize("waiting", ["region.wait(b'x')", "next(events)", "region.wait_any()"])
def test_an_interrupt_ends_a_wait(home, region, waiting):
    import subprocess

    code = (
        "import vug, sys\n"
        "region = vug.open()['r']; events = region.subscribe()\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        f"    {waiting}\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "VUG_HOME": home},
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate()
    assert said == "interrupted\n" and child.returncode == 0


def test_a_program_may_end_with_listeners_and_waits(program, region):
    said = program(
        "import threading, vug\n"
        "region = vug.open()['r']; events = region.subscribe()\n"
        "listener = region.listen(lambda event: None)\n"
        "region.listen(lambda event: None, prefix=b'a')\n"
        "waits = [lambda: region.wait(b'x'), lambda: next(events), region.wait_any]\n"
        "for wait in waits: threading.Thread(target=wait, daemon=True).start()\n"
        "for n in range(1000): region[b'a'] = b'%d' % n\n"
        "print('done')\n"
    )
    assert said == "done\n"
