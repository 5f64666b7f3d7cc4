"""Readers of the plain output of `ip`, as support archives hold it."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.parse import ip_json, ip_text
from planner.parse.ip_names import NotUnderstoodError, prefix_text, read_table_names

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "real"
REAL = pytest.mark.skipif(not DATA.is_dir(), reason="real inputs are not here")


def test_next_hops_follow_in_indented_lines():
    """A route with several next hops is one route."""
    (route,), gaps = ip_text.parse_routes(
        "10.5.0.0/16 \n\tnexthop via 10.0.0.9 dev v0 weight 2 \n\tnexthop via 10.0.1.9 dev v1 weight 1 onlink \n",
        "ip",
    )

    assert () == gaps
    assert [("10.0.0.9", 2, False), ("10.0.1.9", 1, True)] == [
        (hop.via, hop.weight, hop.onlink) for hop in route.nexthops
    ]


def test_what_the_short_form_leaves_out_is_filled_in():
    """Without `-d`, scope global and protocol boot are not printed."""
    (short,), _ = ip_text.parse_routes("default via 10.0.0.1 dev e", "ip")
    (long,), _ = ip_text.parse_routes("unicast default via 10.0.0.1 dev e proto boot scope global", "ip")

    assert short == long


def test_locked_metrics_come_from_the_text():
    """JSON forgets `lock`; the same route in the text has it."""
    text = "10.7.0.0/16 via 10.0.0.9 dev v0 mtu lock 1400 \n10.8.0.0/16 via 10.0.0.9 dev v0 \n"
    entries = [
        {"dst": "10.7.0.0/16", "gateway": "10.0.0.9", "dev": "v0", "metrics": [{"mtu": 1400}]},
        {"dst": "10.8.0.0/16", "gateway": "10.0.0.9", "dev": "v0"},
    ]
    routes, _ = ip_json.parse_routes(json.dumps(entries), "ip")
    fixed, gaps = ip_text.lost_in_json(text, routes)

    assert () == gaps
    assert [{"lock": "mtu"}, {}] == [route.options for route in fixed]


def test_a_route_that_only_the_text_has_is_a_gap():
    """Then the two were not printed of the same state."""
    routes, _ = ip_json.parse_routes('[{"dst":"10.8.0.0/16","dev":"v0"}]', "ip")
    _, gaps = ip_text.lost_in_json("10.8.0.0/16 dev v0 \n10.9.0.0/16 dev v0 \n", routes)

    assert "10.9.0.0/16" in gaps[0].reason


def test_the_host_s_table_names_become_numbers():
    """A name says nothing elsewhere; with the host's file it is a number, without it a gap."""
    line = "default via 10.0.0.1 dev e table red"
    (known,), none = ip_text.parse_routes(line, "ip", tables=read_table_names("# names\n100 red\n"))
    (unknown,), gaps = ip_text.parse_routes(line, "ip")

    assert ("100", ()) == (known.table, none)
    assert "red" == unknown.table
    assert "red" in gaps[0].reason


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("default", "0.0.0.0/0"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("10.1/16", "10.1.0.0/16"),
        ("10/8", "10.0.0.0/8"),
        ("10.0.0.0/255.255.255.0", "10.0.0.0/24"),
    ],
)
def test_a_prefix_is_always_address_and_length(written, read):
    """iproute2 takes and prints several notations."""
    assert read == prefix_text(written, "ip")


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10.0.0.0/255.0.255.0", "300.0.0.0/8", "fe80::1", "", "/", "10.0.0.0/"]
)
def test_what_is_no_prefix_is_refused(text):
    """A wrong prefix is never another one."""
    with pytest.raises(NotUnderstoodError):
        prefix_text(text, "ip")


def test_a_rule_with_everything():
    """Each selector has its field, and `not` turns the whole around."""
    line = "78:\tnot from all to 10.0.0.0/8 tos 0x10 fwmark 0x80/0xf0 uidrange 0-10 ipproto tcp dport 80-90 blackhole"
    (rule,), gaps = ip_text.parse_policy_rules(line, "ip")

    assert () == gaps
    assert (78, True, "", "10.0.0.0/8", "0x10", "0x80/0xf0") == (
        rule.preference,
        rule.inverted,
        rule.source,
        rule.destination,
        rule.tos,
        rule.fwmark,
    )
    assert ("0-10", "tcp", "80-90", "blackhole", "") == (
        rule.uidrange,
        rule.ipproto,
        rule.dport,
        rule.action,
        rule.table,
    )


def test_a_peer_in_another_namespace():
    """`@if5` or a namespace id says that the other end is a pod's."""
    text = "7: cali1@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1440 qdisc noqueue state UP group default \n    link/ether ee:ee:ee:ee:ee:ee brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 0\n    veth \n"
    (link,), gaps = ip_text.parse_links(text)

    assert () == gaps
    assert (True, "", "veth", 1440) == (link.peer_elsewhere, link.lower, link.kind, link.mtu)


LINES = st.lists(
    st.lists(
        st.sampled_from(
            [
                "default",
                "via",
                "dev",
                "table",
                "proto",
                "scope",
                "metric",
                "src",
                "nexthop",
                "weight",
                "onlink",
                "encap",
                "mtu",
                "lock",
                "from",
                "to",
                "pref",
                "lookup",
                "fwmark",
                "not",
                "goto",
                "10.0.0.0/8",
                "10.0.0.1",
                "fe80::1",
                "eth0",
                "254",
                "0x1",
                "2:",
                "eth0:",
                "<UP>",
                "link/ether",
                "inet",
                "inet6",
                "brd",
                "peer",
                "vxlan",
                "id",
                "veth",
                "bridge_slave",
                "lladdr",
            ]
        )
        | st.text(max_size=5),
        max_size=10,
    ).map(" ".join),
    max_size=6,
).map("\n".join)


@given(LINES)
def test_any_lines_are_read_or_are_gaps(text):
    """Nothing in a support archive makes a reader fail."""
    for family in ("ip", "ip6"):
        ip_text.parse_routes(text, family)
        ip_text.parse_policy_rules(text, family)
    ip_text.parse_links(text)
    ip_text.parse_neighbours(text, proxy_text=text)


@given(st.text())
def test_any_text_is_read(text):
    """Bytes of another command neither."""
    test_any_lines_are_read_or_are_gaps.hypothesis.inner_test(text)


@REAL
def test_the_same_routes_as_a_peer_reads():
    """Four routes of a CentOS 7 machine, field by field as another project's parser read them."""
    folder = DATA / "routes-links" / "jc" / "centos-7.7"
    routes, gaps = ip_text.parse_routes((folder / "ip_route.out").read_text(), "ip")
    expected = json.loads((folder / "ip_route.json").read_text())

    assert () == gaps
    assert [entry["ip"] for entry in expected] == [
        "default" if route.is_default else route.prefix for route in routes
    ]
    assert [entry.get("metric", 0) for entry in expected] == [route.metric for route in routes]
    assert [entry["dev"] for entry in expected] == [route.nexthops[0].link for route in routes]
    assert [entry.get("src", "") for entry in expected] == [route.source for route in routes]


@REAL
def test_links_of_real_archives():
    """Bonds, tunnels, Open vSwitch and cut lines: every link is found, what is no link is a gap."""
    folder = DATA / "routes-links" / "insights"
    counts = {}
    for path in sorted(folder.glob("ip_*link*.txt")):
        links, gaps = ip_text.parse_links(path.read_text())
        assert () == gaps
        assert all(link.mtu for link in links)
        counts[path.name] = len(links)
    bond = next(
        link
        for link in ip_text.parse_links((folder / "ip_d_s_link_bond_1.txt").read_text())[0]
        if link.kind == "bond"
    )
    _, broken = ip_text.parse_links((folder / "ip_addr_test.txt").read_text())

    assert {"ip_d_s_link_bond_1.txt": 4, "ip_s_link_all.txt": 8, "ip_s_link.txt": 5}.items() <= counts.items()
    assert ("active-backup", "100") == (bond.options["mode"], bond.options["miimon"])
    assert 3 == len(broken)
