"""Names and values as the tools print them and the kernel reads them."""

import pytest

from planner.parse.sysctl import key_to_path, normalise_key, parse_sysctl_values, same_value
from planner.sysctls.catalogue import effective, facts, is_dead, lookup, suggest
from planner.sysctls.names import link_key, path_to_key


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("/net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        ("net.core/somaxconn", "net.core/somaxconn"),
        (" kernel.panic\t", "kernel.panic"),
        ("plain", "plain"),
    ],
)
def test_the_first_separator_decides(written: str, key: str) -> None:
    """After a slash the name is a path; after a dot dots and slashes change places."""
    assert key == normalise_key(written)


def test_paths_and_keys_are_each_others_inverse() -> None:
    """A dot in a link's name is a slash in the key."""
    key = "net.ipv6.conf.eth0/100.accept_ra"

    assert "/proc/sys/net/ipv6/conf/eth0.100/accept_ra" == key_to_path(key)
    assert key == path_to_key(key_to_path(key))
    parts = link_key(key)
    assert parts is not None
    assert ("eth0.100", key) == (parts.link, str(parts))


def test_grep_and_sysctl_give_the_same() -> None:
    """Both forms, vectors with tabs, empty values, several lines of one key."""
    grep = "/proc/sys/net/ipv4/tcp_rmem:4096\t131072\t6291456\n/proc/sys/net/ipv4/ip_local_reserved_ports:\n/proc/sys/net/x:a\n/proc/sys/net/x:b\n"
    dump = "net.ipv4.tcp_rmem = 4096\t131072\t6291456\nnet.ipv4.ip_local_reserved_ports = \nnet.x = a\nnet.x = b\n"

    assert parse_sysctl_values(grep) == parse_sysctl_values(dump)
    assert {
        "net.ipv4.ip_local_reserved_ports": "",
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        "net.x": "a b",
    } == parse_sysctl_values(grep)[0]


def test_what_could_not_be_read_is_a_gap() -> None:
    """A refused key is not an absent one; an unset secret is no loss."""
    values, gaps = parse_sysctl_values(
        "net.ipv4.ip_forward = 1\n"
        "sysctl: permission denied on key 'net.ipv4.tcp_fastopen_key'\n"
        'sysctl: reading key "net.ipv6.conf.all.stable_secret"\n'
        "what is this\n"
    )

    assert {"net.ipv4.ip_forward": "1"} == values
    assert 2 == len(gaps)
    assert "tcp_fastopen_key" in gaps[0].reason


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1", "01", True),
        ("16", "0x10", True),
        ("8", "010", True),
        ("10", "010", False),
        ("4096 87380 6291456", "4096\t87380\t6291456", True),
        ("4096", "4096 1 2", False),
        ("1,2,3", "1-3", True),
        ("8080,9148", "9148,8080", True),
        ("8080", "8081", False),
        ("cubic", "bbr", False),
        ("beef", "dead", False),
        ("", "", True),
        ("", "0", False),
        ("-1", "-1", True),
        ("+1", "1", False),
    ],
)
def test_equal_to_the_kernel(one: str, other: str, same: bool) -> None:
    """Notation is no difference, and nothing else is forgiven."""
    assert same is same_value(one, other)


def test_the_catalogue_is_whole() -> None:
    """Every entry loads, and per-link ones say how `all` and the link combine."""
    known = facts()

    assert 666 == len(known)
    assert [] == [
        fact.pattern
        for fact in known
        if fact.pattern.startswith("net.ipv") and "conf.<iface>" in fact.pattern and fact.combine is None
    ]
    assert lookup("net.ipv4.conf.eth0/100.rp_filter") is lookup("net.ipv4.conf.all.rp_filter")
    assert lookup("net.ipv4.no_such") is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("net.ipv4.ip_foward", "net.ipv4.ip_forward"),
        ("net.ipv6.ip_forward", "net.ipv6.conf.all.forwarding"),
        ("net.bridge.bridge_nf_call_iptables", "net.bridge.bridge-nf-call-iptables"),
        ("net.ipv4.conf.eth0.rp_fliter", "net.ipv4.conf.eth0.rp_filter"),
        ("net.core.somaxcon", "net.core.somaxconn"),
        ("net.ipv4.ip_forward", None),
        ("vm.swapiness", None),
        ("net.wholly.elsewhere", None),
    ],
)
def test_did_you_mean(written: str, meant: str | None) -> None:
    """Slips are answered with what was meant; known keys and strangers with nothing."""
    assert meant == suggest(written)


@pytest.mark.parametrize(
    ("knob", "everywhere", "own", "acts"),
    [
        ("ipv4.rp_filter", "2", "1", "2"),
        ("ipv4.rp_filter", "1", "0", "1"),
        ("ipv4.proxy_arp", "0", "1", "1"),
        ("ipv4.accept_source_route", "0", "1", "0"),
        ("ipv4.forwarding", "1", "0", "0"),
        ("ipv6.forwarding", "1", "0", "1"),
        ("ipv6.accept_ra", "2", "1", "1"),
        ("ipv6.accept_dad", "0", "1", "1"),
        ("ipv6.seg6_enabled", "1", "0", "0"),
        ("ipv6.keep_addr_on_down", "1", "0", "1"),
    ],
)
def test_effective_value(knob: str, everywhere: str, own: str, acts: str) -> None:
    """The larger, either, both, one of them alone: each knob has its own way."""
    family, name = knob.split(".")
    values = {f"net.{family}.conf.all.{name}": everywhere, f"net.{family}.conf.eth0.{name}": own}

    assert acts == effective(f"net.{family}.conf.eth0.{name}", values)


def test_redirects_depend_on_forwarding() -> None:
    """Both are needed while the link forwards, either while it does not."""
    values = {
        "net.ipv4.conf.all.accept_redirects": "0",
        "net.ipv4.conf.eth0.accept_redirects": "1",
        "net.ipv4.conf.eth0.forwarding": "1",
    }

    assert "0" == effective("net.ipv4.conf.eth0.accept_redirects", values)
    assert "1" == effective(
        "net.ipv4.conf.eth0.accept_redirects", {**values, "net.ipv4.conf.eth0.forwarding": "0"}
    )


def test_dead_keys() -> None:
    """Nothing reads conf.all of most IPv6 knobs; the links' own are alive."""
    assert is_dead("net.ipv6.conf.all.accept_ra")
    assert not is_dead("net.ipv6.conf.eth0.accept_ra")
    assert not is_dead("net.ipv6.conf.all.forwarding")
    assert is_dead("net.ipv4.tcp_low_latency")
