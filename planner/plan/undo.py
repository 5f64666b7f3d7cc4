"""The way back from one state to another, computed from their difference: never the naive inverse of the command."""

from planner.emit import ipset as ipset_text
from planner.emit.ip import restore_commands
from planner.emit.iptables_restore import restore_input
from planner.emit.script import quote
from planner.emit.sysctl import restore_writes, returned_writes
from planner.iproute.connected import link_local
from planner.iproute.events import insert6
from planner.models.link import Address, Link
from planner.models.node import ConfigFile, NodeState
from planner.models.plan import Action
from planner.models.route import LOCAL
from planner.plan.checks import UNREADABLE
from planner.plan.checks_rules import ipset_of, ruleset_keys, save_tool, table_names
from planner.plan.masked import is_masked, restore_saved
from planner.plan.native import native_undo
from planner.sysctls.names import LinkKey


def undo(before: NodeState, after: NodeState) -> tuple[Action, ...]:
    """Actions that lead from `after` back to `before`.

    Sysctls come first, because disable_ipv6 and forwarding decide about addresses and routes; values that only exist
    once links are back come after those. Sets come before the rules that name them, and go after.
    """
    early, late = (
        [(key, value) for key, value in writes if key.rpartition(".")[2] not in UNREADABLE]
        for writes in (restore_writes(after, before), returned_writes(after, before))
    )
    names = sorted({ipset.name for state in (before, after) for ipset in state.ipsets})
    sets = [(ipset_of(after, name), ipset_of(before, name)) for name in names]
    back = [ipset_text.restore_input(have, want) for have, want in sets if want is not None]
    gone = [ipset_text.restore_input(have, want) for have, want in sets if want is None]
    return (
        *(_write(key, value) for key, value in early),
        *(
            Action(argv=argv)
            for argv in restore_commands(_with_ipv6(_with_loopback(after, before, early), before), before)
        ),
        *(_write(key, value) for key, value in late),
        *(_ipset(text) for text in back if text),
        *_tables(before, after),
        *native_undo(before, after),
        *(_ipset(text) for text in gone if text),
    )


def _with_loopback(after: NodeState, before: NodeState, writes: list[tuple[str, str]]) -> NodeState:
    """The state once IPv6 was switched on again on lo: the kernel has put ::1 there by itself.

    Added by a command it would get a route of its own in the main table (net/ipv6/addrconf.c, init_loopback; measured).
    """
    lo = before.link("lo")
    if ("net.ipv6.conf.lo.disable_ipv6", "0") not in writes or lo is None:
        return after
    own = tuple(
        route
        for route in before.routes
        if route.prefix == "::1/128" and route.table == LOCAL and route not in after.routes
    )
    links = tuple(lo if link.name == "lo" else link for link in after.links)
    return after.model_copy(update={"links": links, "routes": (*after.routes, *own)})


def _with_ipv6(after: NodeState, before: NodeState) -> NodeState:
    """The state once IPv6 was switched on again: links have the address of their hardware address, if they had it before or not.

    A bridge keeps the one that it had before its first port gave it another hardware address (net/ipv6/addrconf.c, addrconf_addr_gen).
    """
    return after.model_copy(update={"links": tuple(_generated(link, after, before) for link in after.links)})


def _generated(link: Link, after: NodeState, before: NodeState) -> Link:
    off, mode = (str(LinkKey("ipv6", "conf", link.name, knob)) for knob in ("disable_ipv6", "addr_gen_mode"))
    returns = before.sysctls.get(off) == "0" != after.sysctls.get(off, "0")
    own = link_local(link.mac) if returns and before.sysctls.get(mode) == "0" and link.up else ""
    former = before.link(link.name)
    if not own or former is None or any(address.address == own for address in former.addresses):
        return link
    return insert6(link, Address(address=own, length=64, scope="link"))


def undo_file(path: str, before: ConfigFile | None) -> Action:
    """The file as it was: its text, its former permissions, a link as a link; deleted when it did not exist."""
    if before is None:
        return delete_file(path)
    if before.link_to:
        return Action(argv=("ln", "-sfn", before.link_to, path))
    if is_masked(before):
        return restore_saved(path, before.mode)
    return install_file(path, before.text, before.mode)


def install_file(path: str, text: str, mode: str = "") -> Action:
    """Writes a file. The emitted scripts do it by writing beside it and renaming; an empty mode keeps the present one."""
    return Action(argv=("install", "-D", *(("-m", mode) if mode else ()), "/dev/stdin", path), stdin=text)


def delete_file(path: str) -> Action:
    """Deletes a file; it need not exist."""
    return Action(argv=("rm", "-f", path))


def _write(key: str, value: str) -> Action:
    return Action(argv=("sysctl", "-w", f"{key}={value}"))


def _ipset(text: str) -> Action:
    return Action(argv=("ipset", "-exist", "restore"), stdin=text)


def _tables(before: NodeState, after: NodeState) -> tuple[Action, ...]:
    actions: list[Action] = []
    for family, backend in ruleset_keys(before, after):
        have, want = after.ruleset(family, backend), before.ruleset(family, backend)
        for name in table_names(have, want):
            old, new = (ruleset.tables.get(name) if ruleset else None for ruleset in (want, have))
            text = restore_input(new, old, family=family)
            if text:
                # The lock of the legacy backend is waited for; the nft backend accepts the option and ignores it.
                tool = save_tool(before, family, backend).removesuffix("-save") + "-restore"
                actions.append(Action(argv=(tool, "-w", "10", "--noflush"), stdin=text))
            if old is None and new is not None and backend == "nft":
                actions.append(_drop_table(save_tool(before, family, backend), family, name))
    return tuple(actions)


def _drop_table(tool: str, family: str, name: str) -> Action:
    """Deletes a table that the step made, unless somebody else has put chains or rules into it meanwhile.

    The legacy backend has no way to unload a table: it stays, empty.
    """
    return Action(
        argv=(
            "sh",
            "-c",
            f"{quote(tool)} -t {quote(name)} | grep -q -e '^-A ' -e '^:[^ ]* [-D]' || nft delete table {family} {quote(name)}",
        )
    )
