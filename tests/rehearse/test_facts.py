"""What a way back is judged by, where the kernel goes on with what the record caught in the middle."""

import pytest

from planner.emit.ip_restore import restore_commands, unrestorable
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import LOCAL, NextHop, Route
from planner.rehearse.facts import compare
from planner.rehearse.rebuild import tentative

OWN = Address(address="fe80::1", length=64, scope="link")


def state(*addresses: str) -> NodeState:
    """A node with one address, and local routes for these."""
    routes = tuple(
        Route(
            family="ip6",
            table=LOCAL,
            prefix=f"{one}/128",
            type="local",
            protocol="kernel",
            nexthops=(NextHop(link="eth0"),),
        )
        for one in addresses
    )
    return NodeState(name="node", links=(Link(name="eth0", addresses=(OWN,)),), routes=routes)


def test_a_local_route_that_the_record_was_too_early_for_is_not_left_behind() -> None:
    """The address was there; its route comes when the detection of duplicates has ended."""
    assert () == compare(state(), state("fe80::1"))


@pytest.mark.parametrize(
    ("wanted", "found"), [(("fe80::1",), ()), ((), ("fe80::2",)), ((), ("fe80::1", "fe80::2"))]
)
def test_other_local_routes_are_compared(wanted: tuple[str, ...], found: tuple[str, ...]) -> None:
    """One that is missing, and one of an address that the node did not have."""
    assert 1 == len(compare(state(*wanted), state(*found)))


def router(*groups: str, forwarding: str = "1") -> NodeState:
    """A node that has joined these groups."""
    routes = tuple(
        Route(
            family="ip6",
            table=LOCAL,
            prefix=f"{one}/128",
            type="anycast",
            protocol="kernel",
            nexthops=(NextHop(link="eth0"),),
        )
        for one in groups
    )
    sysctls = {"net.ipv6.conf.eth0.forwarding": forwarding}
    held = state("fe80::1")
    return held.model_copy(update={"sysctls": sysctls, "routes": (*held.routes, *routes)})


def test_a_routers_group_that_the_record_was_too_early_for_is_not_left_behind() -> None:
    """A router joins one for each subnet, once the detection of duplicates has ended."""
    assert () == compare(router(), router("fe80::"))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (router("fe80::"), router()),
        (router(), router("fd00::")),
        (router(forwarding="0"), router("fe80::", forwarding="0")),
    ],
    ids=["missing", "of another subnet", "no router"],
)
def test_other_groups_are_compared(wanted: NodeState, found: NodeState) -> None:
    """One that is missing, of a subnet that the link does not have, and of a link that does not forward."""
    assert 1 == len(compare(wanted, found))


@pytest.mark.parametrize(
    ("flags", "more", "expected"),
    [
        ('"UP","LOWER_UP"', '"tentative":true', ("fe80::1",)),
        ('"UP","LOWER_UP"', '"tentative":true,"dadfailed":true', ()),
        ('"UP"', '"tentative":true', ()),
        ('"UP","LOWER_UP"', '"dynamic":true', ()),
    ],
)
def test_only_a_detection_that_goes_on_is_waited_for(
    flags: str, more: str, expected: tuple[str, ...]
) -> None:
    """One that failed does not end, and without carrier it does not begin."""
    text = f'[{{"flags":[{flags}],"addr_info":[{{"local":"fe80::1",{more}}}]}}]'
    assert expected == tentative(text)


def test_the_kernel_joins_its_groups_again_by_itself() -> None:
    """No command brings them back, none is needed, and nobody is told that something remains."""
    before, after = router("fe80::"), router()

    assert () == restore_commands(after, before)
    assert () == restore_commands(before, after)
    assert () == unrestorable(after, before)
