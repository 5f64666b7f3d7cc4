"""The node of a page or a dump, made anew in a namespace: every link is one of this process, whatever its kind was."""

from collections.abc import Iterator
from ipaddress import ip_interface

from oracle.stage import Stage, mac_of
from planner.emit.ip_words import (
    address_command,
    neighbour_command,
    nexthop_command,
    route_command,
    rule_command,
)
from planner.emit.ipset import restore_input
from planner.emit.iptables_save import emit_ruleset
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.ruleset import IpSet

FAMILIES = ("ip", "ip6")
FORWARDING = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding", "net.ipv6.conf.all.forwarding")
"""Written first: they write the values of links too."""
OF_PACKETS = ("net.ipv4.conf.", "net.ipv6.conf.", "net.ipv4.fib_", "net.ipv6.fib_", "net.bridge.")
OURS = frozenset({"accept_dad", "router_solicitations", "accept_ra", "addr_gen_mode", "send_redirects"})
"""What the stage sets for the sake of seeing answers."""
GROUP = "77"
USUAL = (0, 32766, 32767)
"""Preferences of the rules that a namespace begins with; IPv6 has no third."""


def rebuild(stage: Stage, state: NodeState) -> None:
    """Make the node of a state, as far as packets see it. What the kernel refuses is an AssertionError with its words."""
    stage.solicited = True
    links = [link for link in state.links if link.kind != "loopback" and link.name != "lo"]
    lines = list(_links(stage, links))
    stage.ip(lines)
    stage.sysctls(_sysctls(state))
    # Up only now: a link takes what `conf.default` says when it is made, and routes need links that are up.
    stage.ip([f"link set dev {link.name} up" for link in links if link.up])
    for family in FAMILIES:
        stage.ip(list(_addresses(links, family)), family)
    stage.ip([_words(nexthop_command("add", item)) for item in state.nexthop_objects])
    for family in FAMILIES:
        _routes(stage, state, links, family)
        _rules(stage, state, family)
    for entry in state.neighbours:
        if entry.permanent and entry.mac and not entry.proxy:
            stage.ip([_words(neighbour_command("replace", entry))], "ip6" if ":" in entry.address else "ip")
            stage.knows(entry.address, entry.mac)
    _sets(stage, state)
    for rules in state.rulesets:
        text = emit_ruleset(rules)
        if text.strip():
            tool = f"ip{rules.family[2:]}tables-{rules.backend}-restore"
            stage.node.run([tool], stdin=text)


def _words(argv: tuple[str, ...]) -> str:
    """A command as a line of `ip -batch`."""
    words = [word for word in argv[1:] if word not in {"-4", "-6"}]
    return " ".join(word or '""' for word in words)


def _links(stage: Stage, links: list[Link]) -> Iterator[str]:
    bridges = {link.name for link in links if link.kind == "bridge"}
    for number, link in enumerate(links, 1):
        mac = (
            link.mac
            if link.mac.count(":") == 5 and link.mac != "00:00:00:00:00:00"
            else f"52:54:00:00:00:{number:02x}"
        )
        if link.name in bridges:
            yield f"link add {link.name} address {mac} type bridge"
            stage.macs[link.name] = mac
        else:
            stage.link(link.name, mac=mac, carrier=link.carrier)
            yield f"link set dev {link.name} address {mac} group {GROUP}"
    for link in links:
        if link.master in bridges:
            yield f"link set dev {link.name} master {link.master}"
            stage.masters[link.name] = link.master
    for link in sorted(links, key=lambda link: not link.master):
        yield f"link set dev {link.name} mtu {link.mtu}"


def _addresses(links: list[Link], family: str) -> Iterator[str]:
    for number, link in enumerate(links, 1):
        held = [address for address in link.addresses if address.family == family]
        yield from (_words(address_command("add", address, link.name)) for address in held)
        # Every link has one, or it cannot ask for neighbours (kernel, net/ipv6/ndisc.c, ndisc_send_ns); pages leave it out.
        if family == "ip6" and held and not any(address.scope == "link" for address in held):
            yield f"addr add fe80::77:{number:x}/64 dev {link.name} nodad"


def _sysctls(state: NodeState) -> dict[str, str]:
    """Keys as paths, in an order in which no write undoes another."""
    links = {link.name for link in state.links} | {"all", "default"}
    found: dict[str, str] = {}
    for key, value in sorted(
        state.sysctls.items(), key=lambda item: (item[0] not in FORWARDING, _rank(item[0]))
    ):
        words = key.split(".")
        per_link = words[:1] == ["net"] and words[2:3] == ["conf"]
        if key not in FORWARDING and not key.startswith(OF_PACKETS):
            continue
        if words[-1] in OURS or (per_link and ".".join(words[3:-1]).replace("/", ".") not in links):
            continue
        found[key.translate(str.maketrans("./", "/."))] = value
    return found


def _rank(key: str) -> int:
    return 0 if ".all." in key else 1 if ".default." in key else 2


def _routes(stage: Stage, state: NodeState, links: list[Link], family: str) -> None:
    wanted = [route for route in state.routes if route.family == family and route.table != "local"]
    if not wanted:
        return
    wanted = [
        route for route in wanted if not (family == "ip6" and route.prefix.startswith(("fe80:", "ff00:")))
    ]
    direct = sorted(wanted, key=lambda route: any(hop.via for hop in route.nexthops))
    stage.ip([_words(route_command("replace", route)) for route in direct], family)
    # The kernel made one for each address; a page may hold none. They were needed so far: gateways lie there.
    held = {route.prefix for route in wanted}
    made = [
        (str(ip_interface(address.prefix).network), link.name)
        for link in links
        for address in link.addresses
        if address.family == family and link.up and address.length < (128 if family == "ip6" else 32)
    ]
    stage.ip(
        [f"route del {prefix} dev {name}" for prefix, name in made if prefix not in held],
        family,
        try_each=True,
    )


def _rules(stage: Stage, state: NodeState, family: str) -> None:
    wanted = [rule for rule in state.policy_rules if rule.family == family]
    if not wanted:
        return
    lines = [_words(rule_command("add", rule)) for rule in reversed(wanted) if rule.preference not in USUAL]
    held = {rule.preference for rule in wanted}
    stage.ip(
        [
            *lines,
            *(
                f"rule del pref {preference}"
                for preference in USUAL[: 2 if family == "ip6" else 3]
                if preference not in held
            ),
        ],
        family,
    )


def _sets(stage: Stage, state: NodeState) -> None:
    """Sets before the sets of sets."""
    ordered: list[IpSet] = sorted(state.ipsets, key=lambda one: one.type.startswith("list:"))
    text = "".join(restore_input(None, one) for one in ordered)
    if text:
        stage.node.run(["ipset", "-exist", "restore"], stdin=text)


def introduce(stage: Stage, address: str, link: str) -> None:
    """That address lives behind that port of a bridge, at its own MAC."""
    stage.knows(address)
    if link in stage.masters:
        stage.ports[address] = link
        stage.node.run(["bridge", "fdb", "replace", mac_of(address), "dev", link, "master", "static"])
