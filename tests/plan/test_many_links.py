"""What a plan costs on a node of many links: no step compares every link, route or key with every other."""

from collections import Counter
from collections.abc import Callable

import pytest

from planner.emit.ip import unrestorable
from planner.emit.sysctl import restore_writes
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.proposal import Fragment, FragmentKind
from planner.models.route import NextHop, Route
from planner.proposal import propose as propose_module
from planner.proposal.propose import propose
from planner.sysctls import names

FEW, MANY = 20, 80
TIMES = MANY // FEW


def with_pods(count: int) -> NodeState:
    """A node whose links all have the same IPv6 prefix, as links have."""
    links = tuple(Link(name=f"veth{number}", index=number + 2, kind="veth") for number in range(count))
    routes = tuple(
        Route(
            family="ip6",
            prefix="fe80::/64",
            metric=256,
            protocol="static",
            nexthops=(NextHop(link=link.name),),
        )
        for link in links
    )
    sysctls = {
        f"net.ipv4.{group}.{link}.{knob}": "1"
        for link in ("all", "default", *(link.name for link in links))
        for group, knob in (
            ("conf", "forwarding"),
            ("conf", "rp_filter"),
            ("neigh", "retrans_time"),
            ("neigh", "retrans_time_ms"),
        )
    }
    return NodeState(name="n", links=links, routes=routes, sysctls={"net.ipv4.ip_forward": "1", **sysctls})


def compared(count: int, kind: type, done: Callable[[NodeState], object]) -> int:
    """How often two of a kind are compared."""
    calls: Counter[str] = Counter()
    equal = kind.__eq__

    def counted(own: object, other: object) -> bool:
        calls["=="] += 1
        return bool(equal(own, other))

    node = with_pods(count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "__eq__", counted)
        done(node)
    return calls["=="]


@pytest.mark.parametrize("kind", [Route, Link], ids=lambda kind: kind.__name__)
def test_what_remains_is_found_without_comparing_each_with_each(kind: type) -> None:
    """Also where the states were read one by one, so that nothing in them is the same object."""

    def found(node: NodeState) -> None:
        gone = node.model_copy(deep=True, update={"routes": node.routes[1:]})
        unrestorable(gone, node)

    assert compared(MANY, kind, found) <= TIMES * compared(FEW, kind, found) + MANY


def test_a_link_is_found_by_its_name_in_a_copy_with_others() -> None:
    """What was remembered of the links belongs to those links."""
    node = with_pods(3)
    first = node.link("veth1")
    other = node.model_copy(update={"links": (Link(name="veth1", mtu=1400), Link(name="br0"))})

    assert "veth1" == (first.name if first else "")
    assert other.links == (other.link("veth1"), other.link("br0"))
    assert other.link("veth2") is None
    assert node.links[2] is node.link("veth2")


def test_what_is_remembered_of_links_is_no_part_of_a_state() -> None:
    asked, fresh = with_pods(3), with_pods(3)
    asked.link("veth1")

    assert fresh == asked
    assert fresh.model_dump() == asked.model_dump()
    assert fresh.model_copy(update={"name": "m"}) != asked


def test_keys_that_did_not_change_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node with a thousand links has 130,000 of them."""
    node = with_pods(FEW)
    monkeypatch.setattr("planner.emit.sysctl.link_key", pytest.fail)

    assert () == restore_writes(node, node.model_copy(update={"sysctls": dict(node.sysctls)}))


@pytest.mark.parametrize(
    ("command", "times"), [("ip route add 192.0.2.0/24 dev veth1", 1), ("sysctl -w net.ipv4.ip_forward=0", 2)]
)
def test_the_next_boot_is_computed_once_where_it_is_the_same(
    command: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What neither writes a file nor a value leaves what the keys hold after a reboot."""
    calls: Counter[str] = Counter()
    at_reboot = propose_module.at_reboot

    def counted(*given: object) -> object:
        calls["at_reboot"] += 1
        return at_reboot(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(propose_module, "at_reboot", counted)
    propose(
        with_pods(FEW), (Fragment(path="c.sh", kind=FragmentKind.SCRIPT, target="", text=f"{command}\n"),)
    )

    assert times == calls["at_reboot"]


def test_the_keys_of_a_thousand_links_are_remembered() -> None:
    """Asked for one after another again and again, a smaller memory would never know one of them."""
    keys = [f"net.ipv4.conf.veth{number}.rp_filter" for number in range(130_000)]
    names.link_key.cache_clear()
    for _ in range(2):
        for key in keys:
            names.link_key(key)

    assert len(keys) == names.link_key.cache_info().misses
