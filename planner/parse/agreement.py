"""iptables-nft's text held against `nft -j`: iptables prints a rule that it only half understands, and exits with 0.

Measured: iptables-nft-save 1.8.7 leaves out `-m mark` and `--dport` of rules that 1.8.9 wrote; 1.8.9 prints a native
`ip saddr {..} tcp dport vmap {..}` as `-A FORWARD -p tcp`. The answer is a gap for each chain where the two disagree.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from planner.models.ruleset import TABLES, Ruleset
from planner.models.source import Gap

Rule = list[dict[str, Any]]

_PAYLOAD = {
    "saddr": ("-s", "--source", "--src-range", "--mac-source"),
    "daddr": ("-d", "--destination", "--dst-range", "--mac-dst"),
    "sport": ("--sport", "--sports", "--ports", "--icmp-type", "--icmpv6-type"),
    "dport": ("--dport", "--dports", "--ports", "--icmp-type", "--icmpv6-type"),
    "protocol": ("-p",),
    "nexthdr": ("-p",),
    "flags": ("--tcp-flags", "--syn", "-m frag", "-f"),
    "type": ("--icmp-type", "--icmpv6-type", "-m dccp"),
    "code": ("--icmp-type", "--icmpv6-type"),
    "dscp": ("--dscp", "-m tos"),
    "ttl": ("-m ttl",),
    "hoplimit": ("-m hl",),
    "length": ("--length",),
    "frag-off": ("-f",),
    "spi": ("--espspi", "--ahspi"),
}
_META = {
    "iifname": ("-i", "--physdev-in"),
    "oifname": ("-o", "--physdev-out"),
    "iif": ("-i",),
    "oif": ("-o",),
    "l4proto": ("-p",),
    "mark": ("--mark",),
    "pkttype": ("--pkt-type",),
    "skuid": ("--uid-owner",),
    "skgid": ("--gid-owner",),
    "cgroup": ("--cgroup",),
    "cpu": ("--cpu",),
    "random": ("-m statistic",),
    "rtclassid": ("-m realm",),
    "nfproto": (),
    "protocol": (),
    "day": ("-m time",),
    "hour": ("-m time",),
    "time": ("-m time",),
}
_STATEMENTS: dict[str, tuple[str, ...]] = {
    "accept": ("-j ACCEPT",),
    "drop": ("-j DROP",),
    "return": ("-j RETURN",),
    "queue": ("-j QUEUE", "-j NFQUEUE"),
    "reject": ("-j REJECT",),
    "log": ("-j NFLOG", "-j LOG"),
    "limit": ("-m limit", "-m hashlimit"),
    "quota": ("-m quota",),
    "masquerade": ("-j MASQUERADE",),
    "redirect": ("-j REDIRECT",),
    "snat": ("-j SNAT", "-j NETMAP"),
    "dnat": ("-j DNAT", "-j NETMAP"),
    "notrack": ("-j NOTRACK", "-j CT"),
    "mangle": ("-j MARK", "-j CONNMARK", "-j TRACE", "-j CLASSIFY", "-j DSCP", "-j TOS"),
    "tproxy": ("-j TPROXY",),
    "synproxy": ("-j SYNPROXY",),
    "ct count": ("-m connlimit",),
    "dup": ("-j TEE",),
    "counter": (),
    "comment": (),
}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def disagreements(ruleset: Ruleset, items: Iterable[dict[str, Any]]) -> tuple[Gap, ...]:
    """What the objects of `nft -j` know of iptables-nft's tables and the text does not."""
    section = f"iptables/nft/{ruleset.family}"
    chains, rules = _chains(items, ruleset.family)
    gaps: list[Gap] = []
    for table, chain in sorted(chains):
        shown = ruleset.tables.get(table)
        lines = shown.chains.get(chain) if shown else None
        known = rules.get((table, chain), [])
        where = f"{section}/{table}/{chain}"
        if lines is None:
            if known or shown is None:
                gaps.append(Gap(section=where, reason="nft has this chain, iptables does not print it"))
        elif len(lines) != len(known):
            gaps.append(
                Gap(section=where, reason=f"nft counts {len(known)} rules, iptables prints {len(lines)}")
            )
        else:
            missing = [
                f"rule {number} without {what}"
                for number, (line, rule) in enumerate(zip(lines, known, strict=True), 1)
                for what in _left_out(line, rule)
            ]
            if missing:
                gaps.append(Gap(section=where, reason=f"iptables prints {_some(missing)} (seen by nft)"))
    return tuple(gaps)


def _some(items: list[str]) -> str:
    return "; ".join(items[:3]) + (f" and {len(items) - 3} more" if len(items) > 3 else "")


def _chains(
    items: Iterable[dict[str, Any]], family: str
) -> tuple[set[tuple[str, str]], dict[tuple[str, str], list[Rule]]]:
    chains: set[tuple[str, str]] = set()
    rules: dict[tuple[str, str], list[Rule]] = {}
    for item in items:
        for kind, body in item.items():
            if body.get("family") != family or body.get("table") not in TABLES:
                continue
            if kind == "chain":
                chains.add((body["table"], str(body.get("name"))))
            elif kind == "rule":
                where = (body["table"], str(body.get("chain")))
                rules.setdefault(where, []).append(body.get("expr") or [])
    return chains | rules.keys(), rules


def _left_out(line: str, rule: Rule) -> Iterator[str]:
    """Names of what the rule has and the line does not show."""
    plain = f" {_QUOTED.sub('_', line)} "
    for expression in rule:
        if not isinstance(expression, dict):
            yield "something that is no expression"
            continue
        for kind, body in expression.items():
            wanted, name = _wanted(kind, body)
            if wanted is None:
                yield f"`{name}`, which iptables cannot say"
            elif wanted and not any(f" {word} " in plain for word in wanted):
                yield f"`{name}`"


def _wanted(kind: str, body: Any) -> tuple[tuple[str, ...] | None, str]:
    """Words of which the line must have one, and what to call the expression; None: iptables has no words for it."""
    if kind == "match":
        return _match(body)
    if kind == "xt":
        return _extension(body)
    if kind in {"jump", "goto"}:
        target = str(body.get("target")) if isinstance(body, dict) else ""
        return (f"-{kind[0]} {target}",), f"{kind} {target}"
    return _STATEMENTS.get(kind), kind


def _extension(body: Any) -> tuple[tuple[str, ...] | None, str]:
    # Before nft 1.0.5 the expression is null: nothing to compare.
    if not isinstance(body, dict) or "name" not in body:
        return (), "xt"
    name = str(body["name"])
    if body.get("type") == "target":
        return (f"-j {name}", "-j NOTRACK") if name == "CT" else (f"-j {name}",), name
    # iptables prints conntrack as `state` and set under its own name; both stay `-m`.
    same = {"state": ("-m state", "-m conntrack"), "conntrack": ("-m conntrack", "-m state")}
    return same.get(name, (f"-m {name}",)), name


def _match(body: Any) -> tuple[tuple[str, ...] | None, str]:
    if not isinstance(body, dict):
        return None, "a match"
    right = body.get("right")
    left = body.get("left")
    field = _field(left)
    if field is None:
        return None, "a match on " + ", ".join(sorted(left)) if isinstance(left, dict) else "a match"
    group, name = field
    if group == "payload":
        words = _PAYLOAD.get(name)
    elif group == "meta":
        words = _META.get(name)
    elif group == "ct":
        words = {"mark": ("--mark",)}.get(
            name, ("-m conntrack", "-m state", "-m connbytes", "-m connlabel", "-m helper")
        )
    elif group == "fib":
        words = ("-m addrtype", "-m rpfilter")
    elif group == "raw":
        words = ()
    else:
        words = (
            "-m dst",
            "-m hbh",
            "-m rt",
            "-m frag",
            "-m ipv6header",
            "--tcp-option",
            "--mss",
            "-m socket",
        )
    if words and isinstance(right, dict) and ("set" in right or "map" in right):
        words = tuple(word for word in words if word.endswith("s") or word.startswith("-m "))
        return (words or None), f"{name} in a set"
    if isinstance(right, str) and right.startswith("@"):
        return None, f"{name} in {right}"
    return words, name


def _field(left: Any) -> tuple[str, str] | None:
    """What a match looks at: (`payload`, `dport`); masks and shifts are looked through."""
    if not isinstance(left, dict) or len(left) != 1:
        return None
    ((group, body),) = left.items()
    if group in {"&", "|", "^", "<<", ">>"} and isinstance(body, list) and body:
        return _field(body[0])
    if not isinstance(body, dict):
        return None
    if group == "payload":
        # Raw payload (base and offset) is what iptables makes of matches it has no field for.
        return (group, str(body["field"])) if "field" in body else ("raw", "payload")
    if group in {"meta", "ct"}:
        return group, str(body.get("key"))
    if group == "fib":
        return group, "fib"
    if group in {"exthdr", "tcp option", "ip option", "socket", "osf", "rt"}:
        return group, group
    return None
