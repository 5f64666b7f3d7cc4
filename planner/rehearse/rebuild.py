"""A recorded node put into empty namespaces, in an order that the kernel accepts."""

import json
import posixpath
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from planner.emit.sysctl import restore_writes
from planner.iproute.connected import joined
from planner.models.link import Link
from planner.models.node import ConfigFile, NodeState
from planner.models.route import Route
from planner.rehearse import observe
from planner.rehearse.batch import Refusal, run_all
from planner.rehearse.filters import rebuild_filters
from planner.rehearse.links import rebuild_links, up_commands
from planner.rehearse.modules import Modules
from planner.rehearse.namespaces import Namespaces
from planner.rehearse.routing import address_commands, entry_commands, route_commands, rule_commands
from planner.sysctls.names import LinkKey, key_to_path, path_to_key

QUIET = {
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
    "net.ipv6.conf.default.addr_gen_mode": "1",
    "net.ipv6.conf.default.disable_ipv6": "0",
}
"""Of new links: no addresses of their own, no questions to routers. The node's own values follow when all is there."""
SETTLE = 3.0
"""Seconds that the kernel is given to see carriers (net/core/link_watch.c: events that are not urgent wait for one)."""
DETECTION = 5.0
"""Seconds for it: a second for each of `dad_transmits`, after up to one that is drawn."""
PASSES = 3


@dataclass(slots=True)
class Rebuilt:
    """What came of it."""

    taps: dict[str, int] = field(default_factory=dict)
    stand_ins: dict[str, str] = field(default_factory=dict)
    """Why something stands in for a link."""
    refused: list[Refusal] = field(default_factory=list)
    unwritten: dict[str, str] = field(default_factory=dict)
    """Sysctls that were refused, with the reason."""


def rebuild(namespaces: Namespaces, node: NodeState, modules: Modules) -> Rebuilt:
    """Put the node there. What was refused is told, never raised."""
    done = Rebuilt()
    done.refused += [
        Refusal(f"file {line.partition(':')[0]}", line) for line in namespaces.write(_files(node))
    ]
    _sysctls(namespaces, node, done)
    namespaces.sysctls([(key_to_path(key), value) for key, value in QUIET.items()])
    done.taps, done.stand_ins, refused = rebuild_links(namespaces, node, modules)
    done.refused += refused
    have = {link.name: link for link in observe.links(namespaces)}
    run_all(namespaces, address_commands(node, have.values()))
    done.refused += run_all(namespaces, up_commands(node, have))
    _sysctls(namespaces, node, done)
    settle(namespaces, node)
    for last in (False, True):
        # The second time, what the first could not do because of its order.
        refused = list(run_all(namespaces, address_commands(node, observe.links(namespaces))))
        done.refused += refused if last else []
    _routes(namespaces, node, done)
    _join(namespaces, node)
    done.refused += run_all(namespaces, rule_commands(node, observe.policy_rules(namespaces)))
    done.refused += run_all(namespaces, entry_commands(node))
    done.refused += rebuild_filters(namespaces, node)
    return done


def _files(node: NodeState) -> dict[str, ConfigFile]:
    """Those that were recorded; of a link that leads to something else, that as well."""
    files = dict(node.files)
    for path, file in node.files.items():
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), file.link_to))
        if file.link_to and file.text and target not in files:
            files[target] = file.model_copy(update={"link_to": ""})
    return files


def _sysctls(namespaces: Namespaces, node: NodeState, done: Rebuilt) -> None:
    have = NodeState(name=node.name, sysctls=observe.sysctls(namespaces))
    wanted = node.model_copy(update={"sysctls": {k: v for k, v in node.sysctls.items() if k in have.sysctls}})
    writes = [(key_to_path(key), value) for key, value in restore_writes(have, wanted)]
    refused = namespaces.sysctls(writes)
    done.unwritten = {path_to_key(path): reason for path, reason in refused.items()}


def _routes(namespaces: Namespaces, node: NodeState, done: Rebuilt) -> None:
    """Until nothing more can be done: a route may need another that was refused before it."""
    for _ in range(PASSES):
        commands = list(route_commands(node, observe.routes(namespaces)))
        refused = run_all(namespaces, commands)
        if len(refused) == 0:
            return
    done.refused += refused


def _join(namespaces: Namespaces, node: NodeState) -> None:
    """Routers' groups that lack: a link joins them for the addresses that it has when its forwarding is switched on.

    It did so already (net/ipv6/addrconf.c, dev_forward_change), but for those whose carrier came after their addresses (measured).
    """
    held = {_group(route) for route in observe.routes(namespaces) if joined(route)}
    lacking = {_group(route)[0] for route in node.routes if joined(route) and _group(route) not in held}
    paths = [
        key_to_path(key)
        for link in sorted(lacking)
        if node.sysctls.get(key := str(LinkKey("ipv6", "conf", link, "forwarding"))) == "1"
    ]
    namespaces.sysctls([(path, value) for path in paths for value in "01"])


def _group(route: Route) -> tuple[str, str]:
    return "".join(hop.link for hop in route.nexthops), route.prefix


def settle(namespaces: Namespaces, node: NodeState) -> None:
    """Wait until links that are up have seen their carrier: the kernel makes some routes only then."""
    end = time.monotonic() + SETTLE
    while time.monotonic() < end:
        waiting = waits_for(node, observe.links(namespaces))
        if not waiting:
            return
        # Asked about one link, newer kernels act on what they have seen of it so far (net/core/rtnetlink.c, rtnl_getlink).
        run_all(namespaces, (("ip", "link", "show", "dev", name) for name in waiting))
        time.sleep(0.005)


def addressed(namespaces: Namespaces) -> None:
    """Wait until no address is being looked for at its link any more: it has no local route before (addrconf.c, addrconf_dad_completed)."""
    end = time.monotonic() + DETECTION
    while time.monotonic() < end and tentative(observe.addresses(namespaces)):
        time.sleep(0.02)


def tentative(text: str) -> tuple[str, ...]:
    """Addresses whose detection of duplicates goes on, of what `ip -j addr` prints; without carrier it does not begin."""
    try:
        links = json.loads(text)
    except ValueError:
        return ()
    return tuple(
        str(address.get("local", ""))
        for link in links
        if "LOWER_UP" in link.get("flags", ()) and "UP" in link.get("flags", ())
        for address in link.get("addr_info", ())
        if address.get("tentative") and not address.get("dadfailed")
    )


def waits_for(node: NodeState, here: Sequence[Link]) -> tuple[str, ...]:
    """Links that are up and have not seen the carrier yet that they have on the node."""
    wanted = {link.name for link in node.links if link.up and link.carrier}
    carried = {link.master for link in here if link.up and link.carrier}
    return tuple(
        link.name
        for link in here
        if link.up
        and link.name in wanted
        and (not link.carrier or link.operstate == "DOWN")
        # A bridge whose ports are all down has no carrier, however long one waits.
        and (link.kind != "bridge" or link.name in carried)
    )
