"""What taking a step back does not restore, told before it is taken."""

from collections.abc import Iterator

from planner.emit.ip import unrestorable
from planner.emit.iptables_restore import touched_chains
from planner.models.node import NodeState
from planner.models.plan import Residue
from planner.models.proposal import FileWrite, Stage
from planner.models.source import Gap
from planner.plan.checks import changed_keys, sysctl_link
from planner.plan.checks_rules import ipset_of, ruleset_keys, table_names
from planner.plan.native import native_residues
from planner.topology.owners import OTHERS, owner_of_chain

COPIED_TO_PODS = ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_congestion_control")
"""Copied from the initial namespace into each new one (net/ipv4/tcp_ipv4.c, tcp_sk_init; measured)."""


def residues(before: NodeState, stage: Stage) -> tuple[Residue, ...]:
    """What remains after the undo of a stage, each thing once, in a fixed order."""
    found = (
        *unrestorable(stage.after, before),
        *_sysctls(before, stage.after),
        *_rules(before, stage.after),
        *native_residues(before, stage.after),
        *_sets(before, stage.after),
        *_files(stage),
        *(
            Residue(what=gap.section, reason=f"{gap.reason}: the undo does not know what it did")
            for gap in not_known(stage)
        ),
    )
    return tuple(dict.fromkeys(found))


def not_known(stage: Stage) -> tuple[Gap, ...]:
    """What a stage does that is not known, but for the link-local address of a link whose own is random: it goes with the link."""
    chosen = {f"links/{link.name}" for link in stage.after.links if not link.mac}
    return tuple(gap for gap in stage.gaps if gap.section not in chosen)


def _sysctls(before: NodeState, after: NodeState) -> Iterator[Residue]:
    changed = sorted(changed_keys(before, after))
    defaults = [key for key in changed if ".conf.default." in key or ".neigh.default." in key]
    if defaults:
        yield Residue(
            what=", ".join(defaults),
            reason="links that appear meanwhile, those of new pods among them, take the value and keep it",
        )
    inherited = [key for key in changed if key in COPIED_TO_PODS or key.startswith("net.ipv4.conf.all.")]
    if inherited:
        yield Residue(
            what=", ".join(inherited),
            reason="pods that start meanwhile copy the value into their own network namespace and keep it",
        )
    if any(key.startswith("net.netfilter.nf_conntrack") or key == "net.nf_conntrack_max" for key in changed):
        yield Residue(
            what="conntrack entries",
            reason="entries that expire, or are refused, under the other limits and timeouts do not come back",
        )
    if any(key in {"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} for key in changed):
        yield Residue(
            what="connections through the node", reason="those that time out while forwarding is off are lost"
        )
    fleeting = {link.name for link in before.links if link.peer_elsewhere}
    if any(sysctl_link(key) in fleeting for key in changed):
        yield Residue(
            what="values of pods' links",
            reason="they are not compared: a pod and its link may be gone by then",
        )


def _rules(before: NodeState, after: NodeState) -> Iterator[Residue]:
    agents: set[str] = set()
    for family, backend in ruleset_keys(before, after):
        have, want = before.ruleset(family, backend), after.ruleset(family, backend)
        for name in table_names(have, want):
            old = have.tables.get(name) if have else None
            new = want.tables.get(name) if want else None
            chains = touched_chains(old, new)
            if not chains:
                continue
            agents |= {owner for owner in map(owner_of_chain, chains) if owner and owner != OTHERS}
            yield Residue(
                what=f"counters of table {name} ({family}, {backend})",
                reason="the rules of restored chains count from zero again, and their limits and quotas start anew",
            )
            if name == "nat":
                yield Residue(
                    what="conntrack entries",
                    reason="connections that begin meanwhile keep the translation they got until their entry ends "
                    "(`conntrack -D` ends it at once, and the connection with it)",
                )
            elif name == "raw":
                yield Residue(
                    what="conntrack entries",
                    reason="connections that begin meanwhile keep their tracking, or stay untracked, until they end",
                )
            else:
                yield Residue(
                    what="connections",
                    reason="those that are accepted, or cut, meanwhile are not undone; established ones may go on",
                )
            if old is None and backend == "legacy":
                yield Residue(
                    what=f"table {name} ({family}, legacy)",
                    reason="an empty table stays loaded: it decides nothing",
                )
    for agent in sorted(agents):
        yield Residue(
            what=f"chains of {agent}",
            reason=f"{agent} writes them by itself at any time: if it has, the rollback stops there and leaves them to it",
        )


def _sets(before: NodeState, after: NodeState) -> Iterator[Residue]:
    names = {ipset.name for state in (before, after) for ipset in state.ipsets}
    for name in sorted(names):
        old, new = ipset_of(before, name), ipset_of(after, name)
        if old != new and old is not None and "timeout" in f"{old.options} {' '.join(old.elements)}":
            yield Residue(what=f"ipset {name}", reason="elements start their remaining time anew")


def _files(stage: Stage) -> Iterator[Residue]:
    operation = stage.operation
    if not isinstance(operation, FileWrite):
        return
    if operation.path.startswith(("/etc/cni/", "/run/flannel/")):
        yield Residue(
            what="pods that start meanwhile",
            reason="they keep the network they were given until they are deleted",
        )
    if operation.path.startswith(("/var/lib/kubelet/", "/etc/kubernetes/")):
        yield Residue(
            what="kubelet", reason="if it has restarted meanwhile, it must restart again after the rollback"
        )
    if operation.path.startswith(
        ("/etc/systemd/network/", "/etc/netplan/", "/etc/NetworkManager/", "/etc/network/")
    ):
        yield Residue(
            what="links, addresses and leases",
            reason="if the network service has acted on the file meanwhile, it must act on the restored one",
        )
