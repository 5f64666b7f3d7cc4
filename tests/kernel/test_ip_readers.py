"""What `ip` prints as JSON and as text is read as the same nouns."""

from namespace import Namespace

from planner.parse import ip_json, ip_text

SETUP = """
ip link add v0 type veth peer name v1
ip link add br0 type bridge
ip link add vx0 type vxlan id 42 dstport 8472 local 10.0.0.1 dev v0 nolearning
ip link set v0 up; ip link set v1 up; ip link set br0 up; ip link set v1 master br0; ip link set vx0 up
ip link set vx0 master br0
ip link set br0 alias 'the bridge' ; ip link set vx0 group 7 txqueuelen 55 ; ip link property add dev v0 altname alternative
ip link set v1 type bridge_slave hairpin on learning off
ip link add mv0 link v0 type macvlan mode bridge
ip addr add 10.0.0.1/24 dev v0; ip addr add 10.0.0.2/24 dev v0 label v0:two; ip addr add 10.0.1.1/24 brd + dev v0
ip addr add 10.9.9.1 peer 10.9.9.2/32 dev v0 ; ip addr add 10.44.0.1/24 dev v0 noprefixroute metric 7
ip -6 addr add fd00::1/64 dev v0 nodad; ip -6 addr add fd00::7/64 dev v0 nodad preferred_lft 0
ip route add 10.5.0.0/16 nexthop via 10.0.0.9 weight 2 nexthop via 10.0.1.9 dev v0 onlink
ip route add 10.6.0.0/16 via inet6 fe80::1 dev v0
ip route add 10.7.0.0/16 via 10.0.0.9 mtu lock 1400 advmss 1300 src 10.0.1.1 proto 99 initcwnd 20
ip route add blackhole 10.8.0.0/16 metric 5
ip route add 10.10.0.0/16 encap ip id 5 dst 10.0.0.7 dev vx0
ip route add 10.13.0.0/16 tos 0x10 via 10.0.0.9 table 4000 realm 7
ip route add unreachable default metric 4278198272; ip route add throw 10.14.0.0/16 table 77
ip nexthop add id 5 via 10.0.0.9 dev v0; ip nexthop add id 6 via 10.0.1.9 dev v0; ip nexthop add id 7 group 5/6,3
ip nexthop add id 8 blackhole
ip route add 10.11.0.0/16 nhid 5; ip route add 10.12.0.0/16 nhid 7
ip -6 route add fd01::/64 via fe80::9 dev v0 expires 300
ip -6 route add fd02::/64 nexthop via fe80::9 dev v0 nexthop via fe80::a dev v0 weight 3
ip -6 route add unreachable fd03::/64 ; ip -6 route add fd04::/64 dev v0 pref high ; ip -6 route add blackhole fd05::/64 dev lo metric 7
ip rule add from 10.0.0.0/8 fwmark 0x80/0xf0 iif v0 lookup 100 pref 77
ip rule add not to 10.0.0.0/8 ipproto tcp dport 80-90 uidrange 0-10 tos 0x10 blackhole pref 78
ip rule add goto 100 pref 79; ip rule add suppress_prefixlength 0 table main pref 100 ; ip rule add from 10.1.1.1 fwmark 5 table 9 protocol 99 pref 101
ip -6 rule add to fd00::/8 oif v0 prohibit pref 5
ip rule add pref 102 nop ; ip rule add pref 103 sport 5 ipproto 253 unreachable
ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:01 dev v0 nud permanent; ip neigh add proxy 10.0.0.77 dev v0
ip neigh add fe80::9 lladdr 02:00:00:00:00:01 dev v0 nud permanent router
"""


def test_json_and_text_say_the_same(node: Namespace) -> None:
    """Links, routes, rules and neighbours read from `ip -j` equal those read from the plain output."""
    node.sh(SETUP)
    for flags, family in (("-4", "ip"), ("-6", "ip6")):
        from_json, no_gaps = ip_json.parse_routes(
            node.sh(f"ip {flags} -N -j -d route show table all"), family
        )
        assert () == no_gaps
        for command in ("route show table all", "-d route show table all", "-N route show table all"):
            text = node.sh(f"ip {flags} {command}")
            from_text, gaps = ip_text.parse_routes(text, family)
            assert () == gaps
            whole, gaps = ip_text.lost_in_json(text, from_json)
            assert () == gaps
            assert whole == from_text
        from_json_rules, no_gaps = ip_json.parse_policy_rules(node.sh(f"ip {flags} -N -j -d rule"), family)
        assert () == no_gaps
        from_text_rules, gaps = ip_text.parse_policy_rules(node.sh(f"ip {flags} -d rule"), family)
        assert () == gaps
        assert from_json_rules == from_text_rules
    neighbours, no_gaps = ip_json.parse_neighbours(
        node.sh("ip -j neigh"), proxy_text=node.sh("ip -j neigh show proxy")
    )
    assert () == no_gaps
    assert (neighbours, ()) == ip_text.parse_neighbours(
        node.sh("ip neigh"), proxy_text=node.sh("ip neigh show proxy")
    )
    links, no_gaps = ip_json.parse_links(node.sh("ip -j -d addr"))
    assert () == no_gaps
    text_links, gaps = ip_text.parse_links(node.sh("ip -d addr"))
    assert () == gaps
    for ours, theirs in zip(links, text_links, strict=True):
        assert ours.model_dump() == theirs.model_dump()
