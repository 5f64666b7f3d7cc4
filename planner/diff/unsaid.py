"""What a prediction leaves open of links that the change makes: the kernel's own choice, which no snapshot shows."""

from planner.diff.links import PORT_OPTIONS
from planner.models.change import LinkChange, RouteChange, StateChange
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.route import Route

OPTION = "options/"


def is_unsaid(change: StateChange, original: NodeState, predicted: NodeState) -> bool:
    """Whether `change`, from the predicted state to a found one, is about something of which nothing was predicted.

    A new link has the options that its kind has when nobody says otherwise (net/bridge/br_device.c, br_dev_setup), a new
    port those of its bridge (net/bridge/br_if.c, new_nbp), and a link whose hardware address is random a link-local address
    that follows from it. What was predicted and is not there, or is otherwise, is never meant.
    """
    match change:
        case LinkChange(link=name, field=field, before=None) if field.startswith(OPTION):
            link = predicted.link(name)
            if link is None:
                return False
            option = field.removeprefix(OPTION)
            return is_new(name, original, predicted) or (option in PORT_OPTIONS and bool(link.master))
        case LinkChange(link=name, field="address", before=None, after=str() as words):
            return words.startswith("fe80:") and _has_random_address(name, original, predicted)
        case RouteChange(before=None, after=Route() as route):
            return (
                route.family == "ip6"
                and route.protocol == "kernel"
                and route.prefix.startswith(("fe80:", "ff00:"))
                and all(_has_random_address(hop.link, original, predicted) for hop in route.nexthops)
            )
        case _:
            return False


def is_new(name: str, original: NodeState, predicted: NodeState) -> bool:
    """Whether the change makes the link, or makes it again as another kind."""
    link, former = predicted.link(name), original.link(name)
    return link is not None and (former is None or former.kind != link.kind)


def _has_random_address(name: str, original: NodeState, predicted: NodeState) -> bool:
    link: Link | None = predicted.link(name)
    if link is None or not is_new(name, original, predicted):
        return False
    return not any(address.address.startswith("fe80:") for address in link.addresses)
