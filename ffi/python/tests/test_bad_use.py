"""Use after close, errors, forks, many threads: harmless."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import pytest

import vug


def test_errors_have_code_and_help(node, region):
    with pytest.raises(vug.RegionExists) as raised:
        node.create("r")
    error = raised.value
    assert error.code == 205 and "open_or_create" in error.help
    assert isinstance(error, (vug.UseError, vug.Error)) and isinstance(error, ValueError)
    assert str(error).endswith("(VUG-0205)")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, again.help) == (type(error), error.code, error.help)
    with pytest.raises(vug.EntryExists):
        region.create(b"a", b"1")
        region.create(b"a", b"1")
    with pytest.raises(vug.NotBuiltYet):
        node.create("g", scope="global")
    with pytest.raises(vug.InvalidRegionName):
        node["a/b"]


def test_every_error_of_the_library_has_a_class():
    from vug._errors import _BY_CODE, from_code

    assert len(_BY_CODE) >= 41
    assert type(from_code(599, "new", "")) is vug.ProcessError
    assert type(from_code(999, "new", "")) is vug.Error
    for code, kind in _BY_CODE.items():
        assert kind("m", "h").code == code and str(kind("m", "h")) == f"m (VUG-{code:04})"


def test_a_home_that_is_none(tmp_path):
    with pytest.raises(vug.Io) as raised:
        vug.open("/proc/self")
    assert raised.value.code == 601 and isinstance(raised.value, OSError)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError):
        vug.open(file)
    with pytest.raises((ValueError, OSError)):
        vug.open("a\0b")
    with pytest.raises(TypeError):
        vug.open(7)


def test_use_after_close(home):
    node = vug.open(home)
    region = node["r"]
    region[b"a"] = b"1"
    iterator = iter(region)
    node.close()
    node.close()
    for use in (node.regions, lambda: node["r"], lambda: node.home, lambda: len(node)):
        with pytest.raises(ValueError, match="closed"):
            use()
    assert "closed" in repr(node)
    assert region[b"a"] == b"1"  # regions live on
    region.close()
    for use in (
        lambda: region[b"a"],
        lambda: region.get_many([b"a"]),
        lambda: region.view(b"a"),
        lambda: region.handle(b"a"),
        lambda: list(region),
        lambda: next(iterator),
        lambda: len(region),
        region.close,
    ):
        with pytest.raises(vug.RegionClosed):
            use()
    assert repr(region)


def test_many_threads_on_one_region(region):
    handle, wrong = region.handle(b"shared"), []

    def work(number):
        key = b"%d" % number
        try:
            for n in range(100):
                region[key] = b"%d" % n
                if region[key] != b"%d" % n or (handle.get() or b"").strip(b"x"):
                    wrong.append(number)
                region.increment(b"count")
                region[b"shared"] = b"x" * (n % 50)
                view = region.view(b"shared")
                if view is not None and bytes(view).strip(b"x"):
                    wrong.append(number)
                list(region)
                region.get_many([key, b"shared"])
        except BaseException as error:  # noqa: BLE001
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert region.increment(b"count", 0) == 100 * 100


def in_child(region, node, view, events, queue):
    """What a forked child may and may not do with what it inherited."""
    codes = []
    for use in (
        lambda: region[b"a"],
        lambda: region.put(b"a", b"2"),
        lambda: list(region),
        lambda: memoryview(view),
        lambda: view.tobytes(),
        events.poll,
        events.wait,
        events.close,
        lambda: node["r"],
    ):
        try:
            use()
            codes.append(0)
        except vug.Error as error:
            codes.append(error.code)
    again = node.reopen_after_fork()["r"]
    again[b"child"] = again[b"a"]
    queue.put(codes)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork(node, region):
    region[b"a"] = b"1"
    view, events = region.view(b"a"), region.subscribe()
    waiting = threading.Thread(target=lambda: next(events))
    waiting.start()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(region, node, view, events, queue))
    child.start()
    codes = queue.get()
    child.join()
    waiting.join()
    assert child.exitcode == 0 and codes == [501] * 9
    assert region[b"child"] == b"1" and bytes(view) == b"1"


def add(region, count):
    for _ in range(count):
        region.increment(b"n")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(region, method):
    context = multiprocessing.get_context(method)
    if method == "spawn":
        children = [context.Process(target=add, args=(region, 100)) for _ in range(2)]
    else:  # the child reopens by pickling, since what it inherits belongs to the parent
        copy = pickle.dumps(region)
        children = [context.Process(target=lambda: add(pickle.loads(copy), 100)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert region.increment(b"n", 0) == 200


def test_pickles_name_the_same_region(home, node, region):
    region[b"a"] = b"1"
    copy = pickle.loads(pickle.dumps(region))
    assert copy[b"a"] == b"1" and copy.incarnation == region.incarnation
    assert pickle.loads(pickle.dumps(node)).home == node.home
    node.remove_region("r")
    with pytest.raises(vug.RegionNotFound):
        pickle.loads(pickle.dumps(region))


def test_bulk_failures_have_all_results(node):
    region = node.create("full", max_bytes=1 << 20)
    with pytest.raises(vug.BulkFailed) as raised:
        region.put_all([(b"a", bytes(500_000)), (b"b", bytes(500_000)), (b"c", b"1")])
    first, second, third = raised.value.results
    assert first.created and third.created and isinstance(second, vug.OutOfSpace)
    assert b"a" in region and b"b" not in region and b"c" in region


def test_a_killed_process_leaves_a_usable_region(home, region):
    code = (
        "import os, signal, vug\n"
        "region = vug.open()['r']; region[b'a'] = b'1'; view = region.view(b'a')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "VUG_HOME": home}, check=False
    )
    assert done.returncode == -9
    assert region[b"a"] == b"1"
    region.recover()
    assert region.statistics()["pins"] == 0


def test_methods_refuse_other_objects(region):
    for method in (vug.Region.get, vug.Region.__getitem__, vug.View.release, vug.Node.regions):
        with pytest.raises(TypeError):
            method(object(), b"a")
    for kind in (vug.Region, vug.View, vug.Subscription, vug.Node, vug.Handle):
        with pytest.raises(TypeError):
            kind()
