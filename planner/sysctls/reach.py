"""Which existing links a write to `conf.default` reaches."""

from collections.abc import Iterator

from planner.models.link import Link
from planner.models.node import NodeState
from planner.sysctls.catalogue import Template, lookup
from planner.sysctls.names import DEFAULT, LinkKey
from planner.sysctls.numbers import same_value


def unaddressed(link: Link | None) -> bool:
    """Whether a link has no IPv4 address. A link that is not known counts as addressed only if it is lo."""
    return link is None or not any(address.family == "ip" for address in link.addresses)


def may_be_reached(
    state: NodeState, parts: LinkKey, default_before: str, default_after: str
) -> Iterator[tuple[str, str]]:
    """Keys of existing links that a write to `conf.default` may reach, with their value before it.

    net/ipv4/devinet.c devinet_copy_dflt_conf() and net/core/neighbour.c neigh_copy_dflt_parms() copy to links on
    which the knob was never written. The kernel does not show that bit, but two things are visible: adding an
    IPv4 address sets the bit of every knob, and a link whose bit is clear always holds the value of `default`.
    """
    fact = lookup(str(parts))
    if parts.link != DEFAULT or fact is None:
        return
    if fact.template not in {Template.IPV4_DEFAULT_COPIES, Template.NEIGHBOUR} or (
        fact.template is Template.NEIGHBOUR and parts.family != "ipv4"
    ):
        return
    if same_value(default_before, default_after):
        return
    links = {link.name: link for link in state.links}
    for name in sorted(links):
        if name == "lo" or not unaddressed(links[name]):
            continue
        key = str(LinkKey(parts.family, parts.group, name, parts.knob))
        own = state.sysctls.get(key)
        if own is not None and same_value(own, default_before):
            yield key, own
