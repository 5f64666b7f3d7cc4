"""The model of a write against the kernel: same value, same side effects, same refusals."""

import random

import pytest
from namespace import Namespace
from sysctl_lab import links, routes6, state, values, write, write_many

from planner.models.source import Source
from planner.proposal.sysctl import write_sysctl
from planner.sysctls.names import link_key
from planner.sysctls.reach import may_be_reached

HERE = Source(name="test")
SETUP = """
ip link add v0 type veth peer name v1; ip link add v2 type veth peer name v3
for i in v0 v1 v2 v3; do ip link set $i addrgenmode eui64; ip link set $i up; done
ip addr add 10.1.0.1/24 dev v0
ip addr add 2001:db8:1::1/64 dev v0 nodad
ip -6 route add 2001:db8:9::/64 via 2001:db8:1::2 dev v0
iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
"""
LEFT_ALONE = (
    "nf_log",
    "nf_hooks_lwtunnel",
    "log_invalid",
    "flush",
    "rps_default_mask",
    "stable_secret",
    ".mtu",
)
"""Loggers load modules; lwtunnel can never be switched off again; mtu has tests of its own."""
NUMBERS = (
    "0",
    "1",
    "2",
    "7",
    "0x10",
    "010",
    "-1",
    "300",
    "1001",
    "5 6",
    "junk",
    "1x",
    "",
    "99999999999",
    "70000",
)


def settle(node: Namespace) -> None:
    """Wait for duplicate address detection, which is not about sysctls: ask for no more of it."""
    node.sh("for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $f; done")


def agree(node: Namespace, key: str, value: str) -> dict[str, tuple[str | None, str | None]]:
    """Write in both worlds and return what differs afterwards, keys that may be reached aside."""
    before = state(node)
    model = write_sysctl(before, key, value, source=HERE)
    complaint = write(node, key, value)
    assert bool(complaint) == bool(model.error), (
        f"{key}={value!r}: kernel {complaint!r}, model {model.error!r}"
    )
    parts = link_key(key)
    maybe = set()
    if parts is not None and key in before.sysctls:
        maybe = {k for k, _ in may_be_reached(before, parts, before.sysctls[key], model.state.sysctls[key])}
    after = values(node)
    return {
        k: (after.get(k), model.state.sysctls.get(k))
        for k in sorted(set(after) | set(model.state.sysctls))
        if after.get(k) != model.state.sysctls.get(k) and k not in maybe
    }


@pytest.mark.parametrize(
    "writes",
    [
        [("net.ipv4.ip_forward", "1"), ("net.ipv4.conf.v0.forwarding", "0"), ("net.ipv4.ip_forward", "1")],
        [
            ("net.ipv4.ip_forward", "7"),
            ("net.ipv4.conf.all.accept_redirects", "1"),
            ("net.ipv4.conf.all.forwarding", "7"),
        ],
        [
            ("net.ipv4.conf.all.forwarding", "1"),
            ("net.ipv4.conf.v1.forwarding", "0"),
            ("net.ipv4.ip_forward", "0"),
        ],
        [("net.ipv4.conf.v1.forwarding", "1"), ("net.ipv4.ip_forward", "0")],
        [("net.ipv4.conf.default.forwarding", "1"), ("net.ipv4.conf.default.route_localnet", "1")],
        [
            ("net.ipv4.conf.default.rp_filter", "1"),
            ("net.ipv4.conf.v2.rp_filter", "0"),
            ("net.ipv4.conf.default.rp_filter", "2"),
        ],
        [
            ("net.ipv6.conf.all.forwarding", "1"),
            ("net.ipv6.conf.v0.forwarding", "0"),
            ("net.ipv6.conf.all.forwarding", "1"),
        ],
        [("net.ipv6.conf.v0.force_forwarding", "1"), ("net.ipv6.conf.all.forwarding", "0")],
        [("net.ipv6.conf.all.force_forwarding", "1"), ("net.ipv6.conf.default.forwarding", "1")],
        [("net.ipv6.conf.all.ignore_routes_with_linkdown", "1"), ("net.ipv6.conf.all.addr_gen_mode", "1")],
        [("net.ipv6.conf.v0.stable_secret", "2001:db8::1"), ("net.ipv6.conf.default.stable_secret", "::5")],
        [("net.ipv6.conf.all.stable_secret", "::5"), ("net.ipv6.conf.all.accept_ra", "2")],
        [("net.mptcp.pm_type", "1"), ("net.mptcp.path_manager", "kernel")],
        [("net.ipv6.route.gc_min_interval", "2"), ("net.ipv6.route.gc_min_interval_ms", "1503")],
        [("net.ipv4.tcp_rmem", "5000"), ("net.ipv4.tcp_rmem", "4096 0 1"), ("net.ipv4.tcp_rmem", "1 2 3 4")],
        [("net.ipv4.ip_local_port_range", "30000"), ("net.ipv4.ip_local_port_range", "500 65535")],
        [("net.ipv4.ip_unprivileged_port_start", "40000"), ("net.ipv4.ip_unprivileged_port_start", "0")],
        [
            ("net.ipv4.ip_local_reserved_ports", "1,2,3,10-12,13"),
            ("net.ipv4.ip_local_reserved_ports", "8080,9148"),
        ],
        [("net.ipv4.ip_local_reserved_ports", "8080 9148"), ("net.ipv4.ip_local_reserved_ports", "")],
        [
            ("net.ipv4.ipfrag_high_thresh", "100"),
            ("net.ipv4.ipfrag_low_thresh", "100"),
            ("net.ipv4.ipfrag_high_thresh", "100"),
        ],
        [("net.ipv4.ping_group_range", "0 2147483647"), ("net.ipv4.ping_group_range", "5 0")],
        [
            ("net.netfilter.nf_conntrack_tcp_timeout_established", "0"),
            ("net.netfilter.nf_conntrack_tcp_timeout_established", "-5"),
        ],
        [
            ("net.netfilter.nf_conntrack_tcp_timeout_established", "99999999"),
            ("net.netfilter.nf_conntrack_tcp_loose", "2"),
        ],
        [
            ("net.ipv4.ip_foward", "1"),
            ("net.ipv4.conf.v9.rp_filter", "1"),
            ("net.netfilter.nf_conntrack_count", "1"),
        ],
    ],
    ids=lambda writes: writes[0][0] + "=" + writes[0][1],
)
def test_writes_have_the_side_effects_that_the_model_says(
    node: Namespace, writes: list[tuple[str, str]]
) -> None:
    """After each write every readable key of net.* is what the model says."""
    node.sh(SETUP)
    for key, value in writes:
        assert {} == agree(node, key, value), f"after {key}={value}"


@pytest.mark.parametrize("seed", range(8))
def test_any_number_written_to_any_key(node: Namespace, seed: int) -> None:
    """Numbers of every notation to keys of every kind: the kernel and the model refuse and keep the same."""
    node.sh(SETUP)
    settle(node)
    chance = random.Random(seed)
    before = state(node)
    writable = set(node.sh("find /proc/sys/net -type f -perm -200").split())
    keys = [
        key
        for key in before.sysctls
        if "/proc/sys/" + key.translate(str.maketrans("./", "/.")) in writable
        and not any(word in key for word in LEFT_ALONE)
        and "addr_gen_mode" not in key
        and not key.endswith(".retrans_time")  # the old name: below 10 ms it hides what the other name shows
        and "disable_ipv6" not in key
    ]
    chance.shuffle(keys)
    pairs = [(key, chance.choice(NUMBERS)) for key in keys]
    pairs = [(key, value) for key, value in pairs if value not in {"99999999999", "-1"} or not is_time(key)]
    taken = write_many(node, pairs)
    model = before
    wrong: list[str] = []
    maybe: set[str] = set()
    for (key, value), accepted in zip(pairs, taken, strict=True):
        former = model.sysctls[key]
        outcome = write_sysctl(model, key, value, source=HERE)
        if accepted == bool(outcome.error):
            wrong.append(
                f"{key}={value!r} (was {former}): kernel took it: {accepted}, model: {outcome.error!r}"
            )
        parts = link_key(key)
        if parts is not None:
            maybe |= {k for k, _ in may_be_reached(model, parts, former, outcome.state.sysctls[key])}
        model = outcome.state
    after = values(node)
    wrong += [
        f"{key}: kernel {after.get(key)}, model {model.sysctls.get(key)}"
        for key in sorted(after)
        if after[key] != model.sysctls.get(key) and key not in maybe
    ]
    assert not wrong, "\n".join(wrong)


def is_time(key: str) -> bool:
    """Times kept in ticks wrap around at 32 bit and print -0: nobody means such numbers."""
    return ".neigh." in key or "interval" in key or "ratelimit" in key


def test_conf_default_reaches_only_links_that_the_model_names(node: Namespace) -> None:
    """Of the links that may be reached none is missed: those without address that hold the default."""
    node.sh(SETUP + "ip link set v3 down; echo 1 > /proc/sys/net/ipv4/conf/v3/rp_filter")
    before = state(node)
    write(node, "net.ipv4.conf.default.rp_filter", "2")
    after = values(node)
    reached = {
        k
        for k in after
        if k.endswith(".rp_filter") and after[k] != before.sysctls[k] and ".default." not in k
    }
    parts = link_key("net.ipv4.conf.default.rp_filter")
    assert parts is not None
    named = {k for k, _ in may_be_reached(before, parts, "0", "2")}

    assert {"net.ipv4.conf.v1.rp_filter", "net.ipv4.conf.v2.rp_filter"} == reached
    assert reached <= named
    assert "net.ipv4.conf.v0.rp_filter" not in named, "it has an address"
    assert "net.ipv4.conf.v3.rp_filter" not in named, "it was written by hand"


def test_disable_ipv6_takes_addresses_and_routes_and_0_brings_back_link_local_only(node: Namespace) -> None:
    """Addresses and main routes of each link are what the model says, after 1 and after 0."""
    node.sh(SETUP)
    settle(node)
    for key, value in (
        ("net.ipv6.conf.v0.disable_ipv6", "1"),
        ("net.ipv6.conf.all.disable_ipv6", "1"),
        ("net.ipv6.conf.all.disable_ipv6", "0"),
    ):
        before = state(node)
        model = write_sysctl(before, key, value, source=HERE).state
        write(node, key, value)

        assert addresses(links(node)) == addresses(model.links), f"{key}={value}"
        assert sorted(str(r) for r in routes6(node)) == sorted(str(r) for r in model.routes), f"{key}={value}"
        assert values(node) == model.sysctls


def addresses(found: tuple) -> dict[str, list[str]]:
    return {link.name: sorted(a.prefix for a in link.addresses) for link in found}


ADVERTISE = r"""
import socket, struct, sys
def checksum(data):
    total = sum(struct.unpack(f"!{len(data)//2}H", data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
source, target = socket.inet_pton(socket.AF_INET6, "fe80::99"), socket.inet_pton(socket.AF_INET6, "ff02::1")
def ra(sum): return struct.pack("!BBHBBHII", 134, 0, sum, 64, 0, 1800, 0, 0) + b"\x01\x01" + bytes.fromhex("020000000099")
body = ra(checksum(source + target + struct.pack("!IHBB", 24, 0, 0, 58) + ra(0)))
packet = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + target + body
frame = bytes.fromhex("333300000001") + bytes.fromhex("020000000099") + b"\x86\xdd" + packet
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0)); s.send(frame)
"""


@pytest.mark.parametrize("accept_ra", ["1", "2"])
@pytest.mark.parametrize("everywhere", ["0", "2"])
def test_forwarding_purges_what_router_advertisements_brought(
    node: Namespace, accept_ra: str, everywhere: str
) -> None:
    """The default route learned on a link goes at the moment of the write, unless the link's own accept_ra is 2."""
    node.sh(SETUP)
    settle(node)
    write(node, "net.ipv6.conf.v0.accept_ra", accept_ra)
    write(node, "net.ipv6.conf.all.accept_ra", everywhere)
    node.run(["python3", "-c", ADVERTISE, "v1"])
    before = state(node)
    assert [r for r in before.routes if r.prefix == "::/0"], "the advertisement was not taken"
    model = write_sysctl(before, "net.ipv6.conf.all.forwarding", "1", source=HERE).state
    write(node, "net.ipv6.conf.all.forwarding", "1")

    assert (accept_ra == "2") == any(r.prefix == "::/0" for r in routes6(node))
    assert sorted(map(str, routes6(node))) == sorted(map(str, model.routes))


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_neighbour_times_are_one_variable_in_two_units(node: Namespace, family: str) -> None:
    """Each notation follows the other, rounded to timer ticks."""
    node.sh(SETUP)
    for knob, value in (
        ("base_reachable_time", "10"),
        ("base_reachable_time_ms", "1234"),
        ("retrans_time", "50"),
        ("retrans_time_ms", "1001"),
        ("unres_qlen", "7"),
        ("unres_qlen_bytes", "10000"),
        ("locktime", "3"),
        ("proxy_delay", "7"),
        ("interval_probe_time_ms", "1001"),
    ):
        assert {} == agree(node, f"net.{family}.neigh.v0.{knob}", value), knob
