"""Values in place: how long they live, and what holds them."""

import ctypes
import gc
import threading
import weakref

import pytest

import vug


def pins(region):
    gc.collect()
    return region.statistics()["pins"]


def test_a_view_shows_the_bytes_without_a_copy(region):
    region[b"a"] = b"value"
    with region.view(b"a") as view:
        memory = memoryview(view)
        assert memory.readonly and bytes(memory) == b"value" and memory.format == "B"
        assert len(view) == view.nbytes == 5 and view.key == b"a"
        assert view.token == region.token(b"a")
        region[b"a"] = b"other"
        assert bytes(memory) == bytes(view) == b"value"  # what was found, not what is written since
    assert region.view(b"b") is None


def test_nobody_writes_through_a_view(region):
    region[b"a"] = b"value"
    view = region.view(b"a")
    with pytest.raises(TypeError):
        memoryview(view)[0] = 1
    with pytest.raises((BufferError, TypeError)):
        ctypes.c_char.from_buffer(view)
    assert region[b"a"] == b"value"


def test_release_gives_the_memory_back(region):
    region[b"a"] = b"value"
    view = region.view(b"a")
    assert pins(region) == 1
    assert view.release() is True and view.released and pins(region) == 0
    assert view.release() is True
    for use in (lambda: memoryview(view), view.tobytes, lambda: bytes(view)):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_buffers_outlive_release(region):
    region[b"a"] = b"value"
    with region.view(b"a") as view:
        memory = memoryview(view)
    assert view.released and view.release() is False
    region[b"a"] = b"other"
    assert bytes(memory) == b"value" and pins(region) == 1
    part = memory[1:3]
    memory.release()
    assert bytes(part) == b"al" and pins(region) == 1
    part.release()
    assert pins(region) == 0


def test_the_collector_releases(region):
    region[b"a"] = b"value"
    view = region.view(b"a")
    gone = weakref.ref(view)
    memory = memoryview(view)
    del view
    gc.collect()
    assert gone() is not None and bytes(memory) == b"value"
    del memory
    assert gone() is None and pins(region) == 0


def test_views_outlive_region_and_node(home):
    node = vug.open(home)
    region = node.create("r", max_bytes=1 << 20)
    region[b"a"] = b"value"
    view = region.view(b"a")
    memory = memoryview(view)
    region.destroy_region()
    node.close()
    del region, node
    gc.collect()
    assert bytes(memory) == b"value" and view.tobytes() == b"value"


def test_numpy_reads_in_place(region):
    numpy = pytest.importorskip("numpy")
    values = numpy.arange(1000, dtype="<f8")
    region[b"a"] = values
    array = numpy.frombuffer(region.view(b"a"), "<f8")
    assert not array.flags.writeable and (array == values).all()
    region[b"a"] = values * 2
    gc.collect()
    assert array.sum() == values.sum() and pins(region) == 1
    same = region.view(b"a")
    first, second = same.array("<f8"), numpy.frombuffer(same, "<f8")
    assert first.ctypes.data == second.ctypes.data
    assert same.cast("d")[3] == 6.0
    del array, first, second, same
    assert pins(region) == 0


def test_empty_and_large_values(node):
    region = node.create("large", max_bytes=64 << 20)
    region[b"empty"] = b""
    assert bytes(region.view(b"empty")) == b"" and len(memoryview(region.view(b"empty"))) == 0
    large = bytes(range(256)) * (8 << 12)
    region[b"large"] = large
    assert memoryview(region.view(b"large")) == large


def test_too_many_pins(node):
    region = node.create("pins", max_bytes=64 << 20, segment_bytes=65536)
    views = []
    with pytest.raises(vug.TooManyPins) as raised:
        for n in range(2000):
            region[b"k"] = n.to_bytes(4) + bytes(30_000)
            views.append(region.view(b"k"))
    assert raised.value.code == 305 and raised.value.help
    assert all(int.from_bytes(bytes(view)[:4]) == n for n, view in enumerate(views))
    views.clear()
    assert pins(region) == 0 and region.view(b"k") is not None


def test_threads_share_a_view(region):
    region[b"a"] = b"value" * 100
    view = region.view(b"a")
    wrong = []

    def use():
        for _ in range(500):
            try:
                with memoryview(view) as memory:
                    if bytes(memory) != b"value" * 100:
                        wrong.append(bytes(memory))
            except ValueError:
                return

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    view.release()
    for thread in threads:
        thread.join()
    assert not wrong and pins(region) == 0


def test_a_view_kept_over_the_end_of_the_program(program, region):
    region[b"a"] = b"value"
    said = program(
        "import vug\n"
        "region = vug.open()['r']\n"
        "view = region.view(b'a'); memory = memoryview(view); events = region.subscribe()\n"
        "listener = region.listen(print); handle = region.handle(b'a')\n"
        "region.close()\n"
        "print(bytes(memory))\n"
    )
    assert said == "b'value'\n"
    assert pins(region) == 0
