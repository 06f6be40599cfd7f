"""Reads and writes that concern other nodes.

Half of it needs a bridge, which `tests/python.rs` plays: see there what `VUG_TEST_BRIDGED` names.
"""

import os

import pytest

import vug


def test_without_other_nodes_all_reads_are_local(region):
    assert region.get_local(b"k") is None and region.get_local(b"k", 7) == 7
    assert region.get_within(b"k", 0.001) is None
    region[b"k"] = b"v"
    assert region.get_local(b"k") == region.get_within(b"k", 1) == b"v"


def test_the_search_timeout_is_the_regions(node, region):
    assert region.search_timeout == 300
    region.set_search_timeout(1.5)
    assert region.search_timeout == node["r"].search_timeout == 1.5
    with pytest.raises(ValueError):
        region.set_search_timeout(-1)


def test_a_file_is_removed(node, region):
    region[b"k"] = b"v"
    node.remove_region("r")
    assert "r" not in node and region[b"k"] == b"v"
    with pytest.raises(vug.RegionNotFound):
        node.remove_region("r")


@pytest.fixture
def bridged():
    home = os.environ.get("VUG_TEST_BRIDGED")
    if home is None:
        pytest.skip("needs the node that tests/python.rs makes")
    with vug.open(home) as node:
        yield node


def test_who_left_is_named(bridged):
    acked = bridged.open("acked")
    assert acked.put(b"a", b"v").departed == []
    assert acked.put(b"b", b"v").departed == [7]
    assert [outcome.departed for outcome in acked.put_all({b"c": b"v"})] == [[7, 65535]]
    assert acked.put(b"d", b"v").departed == []


def test_reads_ask_other_nodes(bridged):
    asking = bridged.open("asking")
    assert asking.get_local(b"k") is None
    with pytest.raises(vug.SearchTimeout):
        asking.get_within(b"k", 0.001)
    asking.set_search_timeout(0.002)
    for read in (asking.get, asking.__getitem__):
        with pytest.raises(vug.SearchTimeout):
            read(b"k")

