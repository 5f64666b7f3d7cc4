"""Nodes whose before and after are the same up to their own identity: reviewed once, told as N nodes."""

import hashlib
import re
from collections.abc import Sequence

from planner.diff.rules import diff_rulesets
from planner.models.assessment import Cohort
from planner.models.node import NodeState
from planner.models.ruleset import Ruleset
from planner.models.snapshot import Snapshot

APART = {"name", "volatile", "rulesets"}
"""Not hashed: the name is identity, volatile facts move by themselves, rules are compared by the rule diff."""


def cohorts(snapshot: Snapshot) -> tuple[Cohort, ...]:
    """Nodes grouped by equal state after own names, addresses and pod links were replaced by place-holders.

    One proposal is laid on all of them, so equal states before are equal states after. Rules are equal when the rule
    diff finds nothing: kube-proxy's random order in its dispatch chains does not split a cohort. The first node of a cohort, by name,
    represents it.
    """
    if len(snapshot.nodes) == 1:
        name = snapshot.nodes[0].name
        return (Cohort(representative=name, nodes=(name,)),)
    groups: dict[str, list[tuple[NodeState, list[str]]]] = {}
    for node in sorted(snapshot.nodes, key=lambda node: node.name):
        anonymous, digest = _anonymous(node)
        for representative, names in groups.setdefault(digest, []):
            if next(diff_rulesets(representative, anonymous), None) is None:
                names.append(node.name)
                break
        else:
            groups[digest].append((anonymous, [node.name]))
    found = [names for members in groups.values() for _, names in members]
    return tuple(Cohort(representative=names[0], nodes=tuple(names)) for names in sorted(found))


def _anonymous(node: NodeState) -> tuple[NodeState, str]:
    """The node's rules under place-holders, and a digest of everything else under the same ones."""
    words = _identity(node)
    pattern = re.compile(
        r"(?<![\w.:-])(?:"
        + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        + r")(?![\w:-])"
    )

    def anonymised(text: str) -> str:
        return pattern.sub(lambda match: words[match.group(0)], text) if words else text

    rest = anonymised(node.model_dump_json(exclude=APART))
    rulesets: Sequence[Ruleset] = tuple(
        Ruleset.model_validate_json(anonymised(ruleset.model_dump_json())) for ruleset in node.rulesets
    )
    anonymous = node.model_copy(update={"rulesets": rulesets})
    return anonymous, hashlib.sha256(rest.encode()).hexdigest()


def _identity(node: NodeState) -> dict[str, str]:
    """What belongs to this node alone: name, addresses with their subnets on pod bridges, hardware addresses, pod links."""
    words: dict[str, str] = {node.name: "<node>"}
    pod_links = sorted(link.name for link in node.links if link.peer_elsewhere)
    words.update({name: f"<pod-link-{number}>" for number, name in enumerate(pod_links)})
    for link in sorted(node.links, key=lambda link: link.name):
        if link.kind == "loopback":
            continue
        if link.mac:
            words[link.mac] = f"<mac of {words.get(link.name, link.name)}>"
        for number, address in enumerate(link.addresses):
            words[address.address] = f"<address {number} of {words.get(link.name, link.name)}>"
    for route in node.routes:
        if route.protocol == "kernel" and any(hop.link in words for hop in route.nexthops):
            words[route.prefix.partition("/")[0]] = "<own subnet>"
    return words
