"""Members of ipsets."""

import pytest
from small_node import node, out

from planner.dataplane.trace import trace
from planner.models.flow import Disposition
from planner.models.ruleset import IpSet

INET = "family inet hashsize 1024 maxelem 65536"
CASES = (
    ("hash:ip", INET, ("192.0.2.9",), "dst", True),
    ("hash:ip", INET, ("192.0.2.9",), "src", False),
    ("hash:ip", f"{INET} netmask 24", ("192.0.2.0",), "dst", True),
    ("hash:net", INET, ("192.0.2.0/24",), "dst", True),
    ("hash:net", INET, ("192.0.2.0/24", "192.0.2.8/29 nomatch"), "dst", False),
    ("hash:net", INET, ("192.0.2.0/24 nomatch", "192.0.2.8/29"), "dst", True),
    ("hash:ip,port", INET, ("192.0.2.9,tcp:80",), "dst,dst", True),
    ("hash:ip,port", INET, ("192.0.2.9,udp:80",), "dst,dst", False),
    ("hash:ip,port", INET, ("192.0.2.9,tcp:80",), "dst", False),
    ("hash:net,port", INET, ("192.0.0.0/16,tcp:80",), "dst,dst", True),
    ("hash:ip,port,ip", INET, ("10.244.1.2,tcp:80,192.0.2.9",), "src,dst,dst", True),
    ("hash:ip,port,net", INET, ("10.244.1.2,tcp:80,192.0.2.0/24",), "src,dst,dst", True),
    ("hash:net,net", INET, ("10.244.0.0/16,192.0.2.0/24",), "src,dst", True),
    ("hash:net,port,net", INET, ("10.244.0.0/16,tcp:80,192.0.2.0/24",), "src,dst,dst", True),
    ("hash:net,iface", INET, ("10.244.0.0/16,pod1",), "src,src", True),
    ("hash:net,iface", INET, ("10.244.0.0/16,pod2",), "src,src", False),
    ("hash:net,iface", INET, ("192.0.2.0/24,pod1", "192.0.2.9,eth0"), "dst,src", False),
    ("hash:net,iface", INET, ("192.0.2.0/24,eth0", "192.0.2.9,pod1"), "dst,src", True),
    ("hash:ip,mark", INET, ("10.244.1.2,0x00000007",), "src,src", True),
    ("hash:mac", "hashsize 1024", ("02:00:00:00:00:07",), "src", True),
    ("hash:ip,mac", INET, ("10.244.1.2,02:00:00:00:00:07",), "src,src", True),
    ("bitmap:ip", "range 10.244.0.0/16", ("10.244.1.2",), "src", True),
    ("bitmap:ip,mac", "range 10.244.0.0/16", ("10.244.1.2,02:00:00:00:00:07",), "src,src", True),
    ("bitmap:port", "range 0-1024", ("80",), "dst", True),
    ("bitmap:port", "range 0-1024", ("80",), "src", False),
    ("list:set", "size 8", ("other", "addresses"), "dst", True),
    ("hash:ip", "family inet6 hashsize 1024", ("2001:db8::1",), "dst", False),
)
HELPERS = (
    IpSet(name="other", type="hash:ip", options=INET, elements=("198.51.100.1",)),
    IpSet(name="addresses", type="hash:ip", options=INET, elements=("192.0.2.9",)),
)


@pytest.mark.parametrize(("kind", "options", "elements", "sides", "inside"), CASES)
def test_members(kind: str, options: str, elements: tuple[str, ...], sides: str, inside: bool) -> None:
    """A packet from 10.244.1.2:40000 by pod1 to 192.0.2.9:80 with mark 7."""
    item = IpSet(name="s", type=kind, options=options, elements=elements)
    text = (
        f"mangle PREROUTING -j MARK --set-xmark 0x7/0xff\nfilter FORWARD -m set --match-set s {sides} -j DROP"
    )
    found = trace(node(text, sets=(item, *HELPERS)), out(source_mac="02:00:00:00:00:07"))

    assert [Disposition.DROPPED if inside else Disposition.SENT] == [one.disposition for one in found]


def test_a_set_that_is_not_in_the_snapshot_is_a_doubt() -> None:
    """Neither a member nor none."""
    found = trace(node("filter FORWARD -m set --match-set gone src -j DROP"), out())

    assert [Disposition.UNKNOWN] == [one.disposition for one in found]
