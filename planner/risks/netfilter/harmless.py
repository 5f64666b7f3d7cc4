"""Proof, from structure alone, that a change of rules alters no packet's fate, or how it can."""

from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import assert_never

from planner.models.change import ChainChange, ChainEdit, ChainPolicyChange, RuleChange, RuleEdit
from planner.models.ruleset import Table
from planner.netfilter.condition import Field
from planner.netfilter.effect import Goto, Jump
from planner.risks.netfilter.reading import Reading, read
from planner.risks.netfilter.structure import (
    cut_off_at,
    may_drop,
    reached,
    readings,
    table_of,
)
from planner.risks.netfilter.unfolded import concerned
from planner.risks.risk import Review


class Kind(StrEnum):
    """What structure tells of a change."""

    NOTHING = "nothing"
    """No packet's fate differs."""
    UNUSED = "unused"
    """It drops only ports that nobody listens on."""
    LETS_IN = "lets in"
    """It can only let more through than before."""
    TAKES = "takes"
    """It may take something away."""


def kind_of(change: RuleChange | ChainChange | ChainPolicyChange, review: Review) -> Kind:
    """The strongest that can be shown."""
    before, after = table_of(review.before, change), table_of(review.after, change)
    if change.chain not in concerned(before, after, change.family):
        return Kind.NOTHING
    match change:
        case RuleChange():
            return _rule(change, before, after, review)
        case ChainChange():
            return _chain(change, before, after)
        case ChainPolicyChange():
            return _policy(change, before, after)
        case _:
            assert_never(change)


def _policy(change: ChainPolicyChange, before: Table, after: Table) -> Kind:
    if change.before in {None, "ACCEPT"} and change.after in {None, "ACCEPT"}:
        return Kind.NOTHING
    if cut_off_at(before, change.chain, change.family) and cut_off_at(after, change.chain, change.family):
        return Kind.NOTHING
    return Kind.TAKES if change.after == "DROP" else Kind.LETS_IN


def _chain(change: ChainChange, before: Table, after: Table) -> Kind:
    if change.edit is ChainEdit.RENAMED:
        return Kind.NOTHING
    if change.edit is ChainEdit.ADDED and change.chain not in after.policies:
        return Kind.NOTHING  # what leads to it is new as well, and judged by itself
    table = before if change.edit is ChainEdit.REMOVED else after
    if change.chain not in reached(table, change.family):
        return Kind.NOTHING
    found = [read(text, change.family) for text in change.rules]
    if all(item.harmless for item in found):
        return Kind.NOTHING
    # A chain is reached by a rule that came with it; whether it takes depends on what it holds.
    if change.table == "filter" and all(item.harmless or item.accepts for item in found):
        return Kind.TAKES if change.edit is ChainEdit.REMOVED else Kind.LETS_IN
    return Kind.TAKES


def _rule(change: RuleChange, before: Table, after: Table, review: Review) -> Kind:
    reading = read(change.rule, change.family)
    came = change.edit is not RuleEdit.REMOVED
    if reading.harmless or not _alive(change, before, after):
        return Kind.NOTHING
    table, place = (after, change.after) if came else (before, change.before)
    if place is None:
        return Kind.TAKES
    if change.edit is not RuleEdit.MOVED:
        if _repeats(table, change, place, reading) or _behind_the_end(table, change, place):
            return Kind.NOTHING
        if isinstance(reading.effect, Jump | Goto) and _does_nothing(
            table, reading.effect.chain, change.family
        ):
            return Kind.NOTHING
        if reading.accepts and change.table == "filter" and _only_accepts(table, change, place):
            return Kind.NOTHING
    if change.edit is RuleEdit.ADDED:
        if change.table == "filter" and (
            reading.accepts or _only_lets_through(after, reading, change.family)
        ):
            return Kind.LETS_IN if _dropped_something(before, change) else Kind.NOTHING
        if reading.drops and _unused(reading, change, review):
            return Kind.UNUSED
        if change.table == "nat" and _serves_newly(change, reading, before, review):
            return Kind.UNUSED
    if change.edit is RuleEdit.REMOVED and reading.drops:
        return Kind.LETS_IN
    return Kind.TAKES


def _alive(change: RuleChange, before: Table, after: Table) -> bool:
    """Whether packets come to the chain, before or after as the edit asks."""
    if change.edit is RuleEdit.ADDED:
        return change.chain in reached(after, change.family)
    if change.edit is RuleEdit.REMOVED:
        return change.chain in reached(before, change.family)
    return change.chain in reached(after, change.family) | reached(before, change.family)


def _repeats(table: Table, change: RuleChange, place: int, reading: Reading) -> bool:
    """Whether a copy stands elsewhere in front of it, so that no packet gets here that the rule would match."""
    # A jump may come back, and a match with a memory may answer otherwise the second time.
    if reading.opaque or reading.limited or isinstance(reading.effect, Jump):
        return False
    others = readings(table, change.chain, change.family)
    terminal = reading.accepts or reading.drops or reading.rewrites
    if not terminal:
        return (
            place >= 2
            and others[place - 2].conditions == reading.conditions
            and others[place - 2].effect == reading.effect
        )
    return any(
        set(other.conditions) <= set(reading.conditions)
        and type(other.effect) is type(reading.effect)
        and not other.problem
        and other.effect == reading.effect
        for other in others[: place - 1]
    )


def _behind_the_end(table: Table, change: RuleChange, place: int) -> bool:
    end = cut_off_at(table, change.chain, change.family)
    return end is not None and end < place


def _does_nothing(table: Table, chain: str, family: str) -> bool:
    return all(item.harmless for item in readings(table, chain, family)) and chain in table.chains


def _only_lets_through(table: Table, reading: Reading, family: str) -> bool:
    """Whether it jumps into a chain that can only accept or come back."""
    if not isinstance(reading.effect, Jump) or reading.effect.chain not in table.chains:
        return False
    return not may_drop(table, reading.effect.chain, family)


def _only_accepts(table: Table, change: RuleChange, place: int) -> bool:
    """Whether what the accept matches would be accepted behind it anyway."""
    if change.chain in table.policies:
        end = cut_off_at(table, change.chain, change.family)
        rest = may_drop(table, change.chain, change.family, start=place)
        return not rest and (table.policies[change.chain] == "ACCEPT" or (end is not None and end > place))
    return not any(
        may_drop(table, base, change.family) or policy == "DROP" for base, policy in table.policies.items()
    )


def _dropped_something(before: Table, change: RuleChange) -> bool:
    """Whether the hooks that lead here could stop a packet at all before."""
    return any(
        policy == "DROP" or may_drop(before, base, change.family)
        for base, policy in before.policies.items()
        if base == change.chain or change.chain not in before.policies
    )


def _serves_newly(change: RuleChange, reading: Reading, before: Table, review: Review) -> bool:
    """Whether it is only about one Service address or NodePort that nothing served, had or listened on before."""
    ports = reading.values(Field.DESTINATION_PORT)
    if ports is None or len(ports) != 1 or ports[0][0] != ports[0][1]:
        return False
    addresses = reading.values(Field.DESTINATION)
    if addresses is None:
        if change.chain != "KUBE-NODEPORTS":  # only there every packet is for an address of the node
            return False
        port = ports[0][0]
        low, high = review.topology.node_port_range
        taken = {*review.topology.node_ports, *(item.port for item in review.before.volatile.listeners)}
        return low <= port <= high and port not in taken and not _named(before, f"--dport {port} ")
    if len(addresses) != 1 or addresses[0][0] != addresses[0][1]:
        return False
    own = {item.address for link in review.before.links for item in link.addresses}
    address = str(ip_address(addresses[0][0]))
    if address in own or _named(before, f"{address}/"):
        return False
    return any(ip_address(address) in ip_network(item) for item in review.topology.service_ranges)


def _named(table: Table, words: str) -> bool:
    return any(words in f"{text} " for texts in table.chains.values() for text in texts)


def _unused(reading: Reading, change: RuleChange, review: Review) -> bool:
    """Whether it drops only ports of the node that nothing listens on and nothing of the cluster uses."""
    ports = reading.values(Field.DESTINATION_PORT)
    protocols = reading.values(Field.PROTOCOL)
    listeners = review.after.volatile.listeners
    if ports is None or protocols is None or change.chain != "INPUT" or not listeners:
        return False
    words = {6: "tcp", 17: "udp"}
    asked = {word for number, word in words.items() if any(low <= number <= high for low, high in protocols)}
    in_use = {item.port for item in listeners if item.protocol[:3] in asked}
    in_use |= {*review.topology.node_ports, *review.topology.host_ports}
    for link in review.after.links:
        in_use |= {
            int(value)
            for key, value in link.options.items()
            if key in {"port", "dstport"} and value.isdigit()
        }
    return not any(low <= port <= high for port in in_use for low, high in ports)
