"""A region as a mapping, and what is no bytes."""

from collections.abc import MutableMapping

import pytest

import vug


def test_it_is_a_mutable_mapping(home):
    region = vug.open(home)["quotes"]
    assert isinstance(region, MutableMapping)
    assert len(region) == 0 and list(region) == []
    region[b"a"] = b"1"
    region[bytearray(b"b")] = memoryview(b"2")
    assert region[b"a"] == b"1" and region[memoryview(b"b")] == b"2"
    assert b"a" in region and b"c" not in region
    assert sorted(region) == sorted(region.keys()) == [b"a", b"b"]
    assert sorted(region.values()) == [b"1", b"2"]
    assert sorted(region.items()) == [(b"a", b"1"), (b"b", b"2")]
    assert dict(region) == {b"a": b"1", b"b": b"2"}
    assert (b"a", b"1") in region.items() and b"2" in region.values() and b"a" in region.keys()
    assert len(region.keys()) == 2
    del region[b"a"]
    assert region.get(b"a") is None and region.get(b"a", 7) == 7
    with pytest.raises(KeyError):
        region[b"a"]
    with pytest.raises(KeyError):
        del region[b"a"]
    region.clear()
    assert len(region) == 0


def test_pop_setdefault_update(region):
    assert region.setdefault(b"a", b"1") == b"1"
    assert region.setdefault(b"a", b"2") == b"1"
    assert region.pop(b"a") == b"1" and region.pop(b"a", None) is None
    with pytest.raises(KeyError):
        region.pop(b"a")
    with pytest.raises(TypeError):
        region.pop(b"a", 1, 2)
    region.update({b"a": b"1", b"b": b"2"})
    region.update([(b"c", b"3")])
    assert len(region) == 3
    items = {region.popitem() for _ in range(3)}
    assert items == {(b"a", b"1"), (b"b", b"2"), (b"c", b"3")}
    with pytest.raises(KeyError):
        region.popitem()


def test_a_node_is_a_collection_of_regions(node):
    node.create("b", max_bytes=1 << 20)
    node["a"][b"k"] = b"v"
    assert list(node) == node.regions() == ["a", "b"] and len(node) == 2
    assert "a" in node and "c" not in node
    del node["b"]
    assert list(node) == ["a"]
    with pytest.raises(vug.RegionNotFound):
        node.open("b")
    assert any(member["myself"] for member in node.members())


def test_invalid_entries_are_keys_and_no_items(region):
    region.create_invalid(b"a")
    assert len(region) == 1 and list(region) == [] and b"a" not in region
    assert list(region.all_keys()) == [b"a"] and region.contains_key(b"a")
    assert region.setdefault(b"a", b"1") is None


@pytest.mark.parametrize("wrong", ["text", 7, None, 1.5, ["a"], object()])
def test_what_is_no_bytes(region, wrong):
    for call in (
        lambda: region[wrong],
        lambda: region.get(wrong),
        lambda: region.put(wrong, b"1"),
        lambda: region.put(b"a", wrong),
        lambda: region.__setitem__(b"a", wrong),
        lambda: region.view(wrong),
        lambda: region.handle(wrong),
        lambda: region.get_many([wrong]),
        lambda: region.put_all([(b"a", wrong)]),
        lambda: region.put_all({wrong: b"1"} if wrong.__hash__ else [(wrong, b"1")]),
        lambda: wrong in region,
    ):
        with pytest.raises(TypeError):
            call()
    assert len(region) == 0


def test_other_wrong_arguments(region, node):
    with pytest.raises(TypeError):
        region.compare_and_swap(b"a", 7, b"1")
    with pytest.raises((TypeError, OverflowError)):
        region.increment(b"a", 1 << 63)
    with pytest.raises(ValueError):
        region.put(b"a", b"1", ttl=-1)
    with pytest.raises(ValueError):
        region.put(b"a", b"1", ttl=float("nan"))
    with pytest.raises(TypeError):
        region.put(b"a", b"1", ttl="soon")
    with pytest.raises(TypeError):
        node.region("x", colour="green")
    with pytest.raises(ValueError):
        node.region("x", scope="universal")
    with pytest.raises((TypeError, ValueError)):
        region.put_all([(b"a",), 3])
    with pytest.raises((TypeError, ValueError)):
        region.put_all([(b"a", b"1", b"2")])
    with pytest.raises(TypeError):
        region.get_many(7)
    assert len(region) == 0


def test_huge_keys_and_values(node):
    region = node.create("small", max_bytes=1 << 20)
    with pytest.raises(vug.InvalidKey):
        region[b"k" * 65537] = b""
    with pytest.raises(vug.ValueTooLarge) as raised:
        region[b"k"] = bytes(2 << 20)
    assert "max_bytes" in raised.value.help
    region[b"k" * 65536] = b"v"
    assert region[b"k" * 65536] == b"v"


def test_numpy_arrays_are_values(region):
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(10, dtype="f8")
    region[b"a"] = array
    assert region[b"a"] == array.tobytes()
    region[b"b"] = array.reshape(2, 5)[:, ::2]
    assert len(region[b"b"]) == 6 * 8


def test_iteration_goes_on_while_others_write(region):
    region.update({n.to_bytes(4): b"old" for n in range(2000)})
    seen = set()
    for count, key in enumerate(region):
        seen.add(key)
        region[b"new" + count.to_bytes(4)] = b"new"
        region[key] = b"changed"
        if count > 20_000:
            break
    assert {n.to_bytes(4) for n in range(2000)} <= seen


def test_compute(region):
    assert region.compute(b"n", lambda old: b"1" if old is None else old + b"1").created
    assert region.compute(b"n", lambda old: old + b"1") is not None
    assert region.compute(b"n", lambda old: None) is None
    assert region[b"n"] == b"11"
    with pytest.raises(ZeroDivisionError):
        region.compute(b"n", lambda old: 1 // 0)
    with pytest.raises(TypeError):
        region.compute(b"n", lambda old: "text")
    # The function may use the region; the write that came in between counts.
    calls = []

    def overtaken(old):
        calls.append(old)
        if len(calls) == 1:
            region[b"n"] = b"2"
        return old + b"!"

    region.compute(b"n", overtaken)
    assert region[b"n"] == b"2!" and calls == [b"11", b"2"]


def test_tokens_order_hash_and_pickle(region):
    import pickle

    first = region.put(b"a", b"1").token
    second = region.put(b"a", b"2").token
    assert first < second and first != second and len({first, second, region.token(b"a")}) == 2
    assert pickle.loads(pickle.dumps(second)) == second
    with pytest.raises(ValueError):
        vug.Token(1, 0, "nonsense")


def test_statistics_and_attributes(region):
    region[b"a"] = b"1"
    region.get(b"a")
    region.get(b"b")
    numbers = region.statistics()
    assert numbers["entries"] == 1 and numbers["counters"]["puts"] == 1
    assert numbers["hit_ratio"] == 0.5
    assert region.attributes()["max_bytes"] == 4 << 20
    assert region.members()[0]["counters"]["puts"] == 1
    region.set_entry_ttl((60, "invalidate"))
    assert region.attributes()["entry_ttl"] == (60.0, "invalidate")


def test_gather(region):
    region.update({b"a": b"1", b"b": b""})
    values = region.gather([b"b", b"x", b"a"])
    assert len(values) == 3 and list(values) == [b"", None, b"1"] and values[-1] == b"1"
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            values[wrong]
    assert list(region.gather(iter([bytearray(b"a")]))) == [b"1"]
    with pytest.raises(vug.InvalidKey):
        region.gather([b"a", b""])


def test_handles(region):
    import threading

    handle = region.handle(b"a")
    assert handle.get() is None and handle.key == b"a"
    region[b"a"] = b"1"
    assert handle.get() == b"1" and handle.token() == region.token(b"a")
    found = []
    threads = [threading.Thread(target=lambda: found.append(handle.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"1"] * 8
    for n in range(1000):  # thrown away, one by one
        region.handle(n.to_bytes(4)).get()
