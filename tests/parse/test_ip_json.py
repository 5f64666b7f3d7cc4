"""Readers of `ip -j`: every version's notation gives the same nouns, and nothing makes them fail."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models.route import NextHop
from planner.parse import ip_json

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "real"


def routes(*entries: str, family: str = "ip"):
    found, gaps = ip_json.parse_routes("[" + ",".join(entries) + "]", family)
    assert () == gaps
    return found


def test_the_destination_of_an_encapsulation_does_not_replace_the_route_s_own():
    """Up to 6.1 both are called `dst` in one object: the first is the route's."""
    (route,) = routes(
        '{"dst":"10.10.0.0/16","encap":"ip","id":5,"src":"0.0.0.0","dst":"10.0.0.7","ttl":0,"tos":0,"dev":"vx0"}'
    )

    assert "10.10.0.0/16" == route.prefix
    assert "ip id 5 src 0.0.0.0 dst 10.0.0.7 ttl 0 tos 0" == route.nexthops[0].encap


def test_numbers_and_names_are_the_same_route():
    """With `-N` table, type, protocol and scope are numbers, without they are names."""
    numbers = routes('{"type":"1","dst":"10.0.0.0/24","dev":"e","table":"254","protocol":"2","scope":"253"}')
    names = routes(
        '{"type":"unicast","dst":"10.0.0.0/24","dev":"e","table":"main","protocol":"kernel","scope":"link"}'
    )

    assert numbers == names


def test_derived_flags_are_dropped_and_onlink_is_kept():
    """`linkdown` and `dead` come and go with carrier; nobody configures them."""
    up = routes('{"dst":"default","gateway":"10.0.0.1","dev":"e","flags":["onlink"]}')
    down = routes('{"dst":"default","gateway":"10.0.0.1","dev":"e","flags":["dead","linkdown","onlink"]}')

    assert up == down
    assert up[0].nexthops[0].onlink


def test_a_refusing_route_has_no_next_hop():
    """IPv6 prints `dev lo` with an unreachable route; no packet goes there."""
    (route,) = routes('{"type":"unreachable","dst":"default","dev":"lo","metric":4294967295}', family="ip6")

    assert () == route.nexthops
    assert "::/0" == route.prefix


def test_a_gateway_of_the_other_family_is_told():
    """IPv4 routes may go through an IPv6 gateway."""
    (route,) = routes('{"dst":"10.6.0.0/16","via":{"family":"inet6","host":"fe80::1"},"dev":"v0"}')

    assert (NextHop(via="fe80::1", via_family="ip6", link="v0"),) == route.nexthops


def test_an_entry_that_cannot_be_read_is_a_gap_beside_the_others():
    """One strange route hides no other."""
    found, gaps = ip_json.parse_routes('[{"dst":"10.0.0.0/24"},{"dst":"nonsense"},17]', "ip")

    assert ["10.0.0.0/24"] == [route.prefix for route in found]
    assert 2 == len(gaps)
    assert {"routes/ip"} == {gap.section for gap in gaps}


@pytest.mark.parametrize("text", ["{", "{}", "null", "[", "Error: something", "[[[[", "\x00"])
def test_a_text_that_is_no_list_is_a_gap(text):
    """Cut or refused output is never an empty table."""
    for read in (ip_json.parse_links, ip_json.parse_nexthops, ip_json.parse_neighbours, ip_json.parse_fdb):
        found, gaps = read(text)
        assert () == found
        assert gaps


def test_an_empty_output_is_an_empty_table():
    """`ip -j rule` of an empty table prints nothing at all."""
    assert ((), ()) == ip_json.parse_policy_rules("", "ip")


KEYS = st.sampled_from(
    [
        "dst", "gateway", "dev", "table", "protocol", "scope", "metric", "flags", "nexthops", "via", "encap", "metrics",
        "type", "tos", "nhid", "prefsrc", "ifname", "linkinfo", "addr_info", "mtu", "local", "prefixlen", "priority", "src",
        "srclen", "fwmark", "fwmask", "uid_start", "goto", "id", "group", "mac", "state", "lladdr", "altnames", "ifindex",
    ]
)  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["10.0.0.0/8", "default", "fe80::1", "eth0", "0x10", ""])
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=12), max_size=4))
def test_any_json_is_read_or_is_a_gap(entries):
    """Whatever stands in the fields: nouns and gaps, no failure; each entry is one or the other."""
    text = json.dumps(entries)
    for family in ("ip", "ip6"):
        found, gaps = ip_json.parse_routes(text, family)
        assert len([entry for entry in entries if entry]) == len(found) + len(gaps)
        ip_json.parse_policy_rules(text, family)
    for read in (ip_json.parse_links, ip_json.parse_nexthops, ip_json.parse_neighbours, ip_json.parse_fdb):
        read(text)


@given(st.text())
def test_any_text_is_read(text):
    """No output of a broken tool makes a reader fail."""
    for read in (ip_json.parse_links, ip_json.parse_nexthops, ip_json.parse_neighbours, ip_json.parse_fdb):
        read(text)


@pytest.mark.skipif(not DATA.is_dir(), reason="real inputs are not here")
def test_real_output_of_a_laptop():
    """Links of every sort and routes of both families, as a real machine printed them."""
    folder = DATA / "routes-links" / "netplan"
    links, gaps = ip_json.parse_links((folder / "iproute2.json").read_text())
    four, more = ip_json.parse_routes((folder / "route4.json").read_text(), "ip")
    six, rest = ip_json.parse_routes((folder / "route6.json").read_text(), "ip6")

    assert () == (*gaps, *more, *rest)
    assert ["lo", "enp0s31f6", "wlan0", "wg0", "wwan0", "tun0"] == [link.name for link in links]
    assert ["loopback", "", "", "wireguard", "", "sit"] == [link.kind for link in links]
    assert [True, True, False] == [
        links[1].addresses[0].dynamic,
        links[1].addresses[1].dynamic,
        links[1].addresses[2].dynamic,
    ]
    assert [100, 600] == [route.metric for route in four if route.is_default]
    assert [1492] == [route.mtu for route in six if route.mtu]
    assert 3 == sum(route.expires for route in six)
