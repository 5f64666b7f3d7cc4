"""Snapshots come back as they were written, in the same bytes, and what is none is refused with its place."""

import gc
import gzip
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.emit.snapshot import dump_snapshot
from planner.errors import NetchangeError
from planner.models.cluster import Cluster, Pod
from planner.models.link import Address, Link
from planner.models.node import ConfigFile, NodeState, Volatile
from planner.models.route import NextHop, Route
from planner.models.ruleset import IpSet, Ruleset, Table
from planner.models.snapshot import Snapshot
from planner.models.source import Gap
from planner.parse.snapshot import load_snapshot

WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PAIRS = st.dictionaries(WORD, WORD, max_size=4)
RULES = st.lists(WORD, max_size=4).map(tuple)
NODES = st.builds(
    NodeState,
    name=WORD,
    sysctls=PAIRS,
    tools=PAIRS,
    links=st.lists(
        st.builds(
            Link,
            name=WORD,
            mtu=st.integers(0, 65536),
            options=PAIRS,
            addresses=st.lists(st.builds(Address, address=WORD, length=st.integers(0, 128))).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    routes=st.lists(
        st.builds(
            Route, family=st.just("ip"), prefix=WORD, nexthops=st.just((NextHop(link="eth0"),)), mtu=st.none()
        ),
        max_size=2,
    ).map(tuple),
    rulesets=st.builds(
        lambda table: (Ruleset(family="ip", backend="nft", tables={table.name: table}),),
        st.builds(Table, name=WORD, policies=PAIRS, chains=st.dictionaries(WORD, RULES, max_size=3)),
    ),
    ipsets=st.lists(st.builds(IpSet, name=WORD, type=WORD, elements=RULES), max_size=2).map(tuple),
    files=st.dictionaries(WORD, st.builds(ConfigFile, text=WORD), max_size=3),
    volatile=st.builds(Volatile, sockets=st.dictionaries(WORD, st.integers(0, 9))),
    gaps=st.lists(st.builds(Gap, section=WORD, reason=WORD), max_size=2).map(tuple),
)
SNAPSHOTS = st.builds(
    Snapshot,
    taken_at=st.just("2026-01-01T00:00:00Z"),
    nodes=st.lists(NODES, max_size=3).map(tuple),
    cluster=st.one_of(
        st.none(), st.builds(Cluster, pods=st.just((Pod(namespace="a", name="b", labels={"z": "1"}),)))
    ),
)


@given(SNAPSHOTS, st.booleans())
def test_what_is_written_is_what_is_read(snapshot, gz):
    """Every field, whatever its text holds."""
    data = dump_snapshot(snapshot, gz=gz)

    assert snapshot == load_snapshot(data, name="s")
    assert data == dump_snapshot(load_snapshot(data, name="s"), gz=gz)


@given(PAIRS, st.randoms(use_true_random=False))
def test_equal_snapshots_give_equal_bytes(sysctls, random):
    """The order in which a collector met the keys leaves no trace."""
    items = list(sysctls.items())
    random.shuffle(items)
    one, other = (
        Snapshot(taken_at="t", nodes=(NodeState(name="n", sysctls=dict(order), tools=dict(order)),))
        for order in (sysctls.items(), items)
    )

    assert dump_snapshot(one, gz=True) == dump_snapshot(other, gz=True)


def test_chains_keep_the_order_in_which_they_were_printed():
    """An operator finds them where his tool shows them."""
    table = Table(name="nat", policies={"PREROUTING": "ACCEPT", "INPUT": "ACCEPT"}, chains={"Z": (), "A": ()})
    state = NodeState(name="n", rulesets=(Ruleset(family="ip", backend="nft", tables={"nat": table}),))
    read = load_snapshot(dump_snapshot(Snapshot(taken_at="t", nodes=(state,))), name="s")

    assert ["Z", "A"] == list(read.nodes[0].rulesets[0].tables["nat"].chains)
    assert ["PREROUTING", "INPUT"] == list(read.nodes[0].rulesets[0].tables["nat"].policies)


def test_a_snapshot_is_text_with_a_line_for_each_node():
    """Small, ends in a line feed, says its version, and gzip holds no time."""
    snapshot = Snapshot(taken_at="t", nodes=(NodeState(name="n1"), NodeState(name="ü2")))
    data = dump_snapshot(snapshot)

    assert (
        b'{"schema_version":"1",\n"taken_at":"t",\n"nodes":[\n{"name":"n1"},\n{"name":"\xc3\xbc2"}\n]}\n'
        == data
    )
    assert bytes(4) == dump_snapshot(snapshot, gz=True)[4:8]


GOOD = dump_snapshot(Snapshot(taken_at="t", nodes=(NodeState(name="n", sysctls={"a.b": "1"}),))).decode()


@pytest.mark.parametrize(
    ("data", "reference", "told"),
    [
        (b"", "snapshot-empty", "is empty"),
        (b" \n", "snapshot-empty", "is empty"),
        (b"\xff\xfe\x00", "snapshot-wrong-kind", "not UTF-8"),
        (b"\xfd7zXZ\0data", "snapshot-wrong-kind", "compressed with xz"),
        (b"PK\x03\x04", "snapshot-wrong-kind", "zip"),
        (GOOD[:60].encode(), "snapshot-not-json", "line 4"),
        (GOOD.replace('"taken_at"', "taken_at").encode(), "snapshot-not-json", "line 2, column 1"),
        (GOOD.replace('"1"}', "NaN}").encode(), "snapshot-not-json", "NaN"),
        (b"[]", "snapshot-wrong-kind", "not an object"),
        (b"{}", "snapshot-wrong-kind", "no `nodes`"),
        (b'{"apiVersion":"v1","kind":"Node"}', "snapshot-wrong-kind", "Kubernetes"),
        (b'{"findings":[],"nodes":[]}', "snapshot-wrong-kind", "assessment"),
        (GOOD.replace('"1",', '"2",', 1).encode(), "snapshot-version", 'version "2"'),
        (b'{"nodes":[],"taken_at":"t"}', "snapshot-version", "none"),
        (GOOD.replace('"a.b":"1"', '"a.b":"1","a.b":"2"').encode(), "snapshot-key-twice", "`a.b` twice"),
        (GOOD.replace('"name":"n"', '"nom":"n"').encode(), "snapshot-invalid", "nodes/0/name"),
        (
            GOOD.replace('"name":"n"', '"name":"n","x":1').encode(),
            "snapshot-invalid",
            "nodes/0/x: this field is not known",
        ),
        (GOOD.replace('"a.b":"1"', '"a.b":1').encode(), "snapshot-invalid", "nodes/0/sysctls/a.b"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], "snapshot-damaged", "cut off"),
        (gzip.compress(GOOD.encode(), mtime=0)[:12] + b"xxxxxxxx", "snapshot-damaged", "damaged"),
        (b"[" * 100_000, "snapshot-not-json", "no snapshot"),
        (b'{"nodes":' + b"9" * 5000 + b"}", "snapshot-not-json", "no snapshot"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_its_place(data, reference, told):
    """One sentence, the name the user gave, and what to do."""
    with pytest.raises(NetchangeError) as caught:
        load_snapshot(data, name="prod.json")

    assert reference == caught.value.reference
    assert told in caught.value.message
    assert "prod.json" in caught.value.message
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
def test_no_bytes_however_odd_make_it_crash(noise, at):
    """A snapshot is an input like any other."""
    for data in (noise, GOOD.encode()[:at] + noise + GOOD.encode()[at:]):
        try:
            load_snapshot(data, name="x")
        except NetchangeError:
            continue


def test_a_bomb_is_not_unpacked(monkeypatch):
    """Two kilobytes can unpack to as many megabytes."""
    monkeypatch.setattr("planner.parse.snapshot.LIMIT", 1 << 20)
    with pytest.raises(NetchangeError) as caught:
        load_snapshot(gzip.compress(b" " * (2 << 20)), name="x")

    assert "snapshot-too-large" == caught.value.reference


def test_collection_of_garbage_is_on_again_afterwards():
    """Switched off while validating, also when that fails."""
    load_snapshot(GOOD.encode(), name="x")
    with pytest.raises(NetchangeError):
        load_snapshot(b"{}", name="x")

    assert gc.isenabled()


@pytest.mark.crater
def test_fifty_megabytes_are_read_in_seconds():
    """A fleet's snapshot is read by every command."""
    rules = tuple(
        f'-s 10.{n % 256}.{n // 256}.0/24 -m comment --comment "rule {n}" -j KUBE-X' for n in range(6000)
    )
    table = Table(name="filter", chains={"FORWARD": rules})
    sysctls = {f"net.ipv4.conf.veth{n}.rp_filter": "1" for n in range(6000)}
    nodes = tuple(
        NodeState(
            name=f"n{n}",
            sysctls=sysctls,
            rulesets=(Ruleset(family="ip", backend="nft", tables={"filter": table}),),
        )
        for n in range(90)
    )
    data = dump_snapshot(Snapshot(taken_at="t", nodes=nodes))
    started = time.perf_counter()
    read = load_snapshot(data, name="x")
    took = time.perf_counter() - started

    assert len(data) > 50_000_000
    assert 90 == len(read.nodes)
    assert took < 20, took
    assert json.loads(data)["schema_version"] == read.schema_version
