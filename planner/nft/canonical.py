"""The form in which nft prints a rule: matches that follow from others left out, neighbours joined, families filled in.

Measured with nft 1.0.6 (tests/kernel/test_nft_rules.py); the code is payload_dependency_kill() and payload_try_merge() of nft.
"""

from collections.abc import Iterator, Sequence

from planner.nft.keys import TRANSPORT
from planner.nft.problem import RefusedError
from planner.nft.statements import Statement
from planner.nft.values import Json

FAMILY_OF = {"ip": "ip", "icmp": "ip", "ip6": "ip6", "icmpv6": "ip6"}
"""Headers of the network layer, and of protocols that belong to one."""
ADJACENT = {"sport": "dport", "type": "code"}
NFPROTO = {"ipv4": "ip", "ipv6": "ip6"}
NFNAME = {"ip": "ipv4", "ip6": "ipv6"}
ICMP = {"ip": "icmp", "ip6": "icmpv6"}


def settle(statements: Sequence[Statement], family: str) -> list[Statement]:
    """The statements as nft keeps them. Raises RefusedError where protocols contradict each other."""
    known = list(statements)
    _check(known, family)
    known = _with_families(known, family)
    known = _joined(known)
    return _without_dependencies(known, family)


def _payload(one: Statement) -> tuple[str, str]:
    """Protocol and field that a match looks at."""
    match one.get("match"):
        case {"left": left}:
            return next(_payloads(left), ("", ""))
        case _:
            return "", ""


def _payloads(part: Json) -> Iterator[tuple[str, str]]:
    match part:
        case {"payload": {"protocol": protocol, "field": field}}:
            yield str(protocol), str(field)
        case dict():
            for value in part.values():
                yield from _payloads(value)
        case list():
            for value in part:
                yield from _payloads(value)
        case _:
            pass


def _every_payload(one: Statement) -> list[tuple[str, str]]:
    """Keys that a statement reads of the packet."""
    for kind, body in one.items():
        if kind == "match" and isinstance(body, dict):
            return list(_payloads(body.get("left")))
        if kind in {"vmap", "mangle"} and isinstance(body, dict):
            return list(_payloads(body.get("key"))) + list(_payloads(body.get("value")))
        if kind in {"set", "dnat", "snat", "redirect", "masquerade"}:
            return list(_payloads(body))
    return []


def network_of(one: Statement) -> str:
    """The family that a packet has of which the statement is true."""
    match one.get("match"):
        case {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": str(name)}:
            return NFPROTO.get(name, "")
        case {"op": "==", "left": {"meta": {"key": "protocol"}}, "right": str(name)}:
            return name if name in {"ip", "ip6"} else ""
        case _:
            found = {FAMILY_OF[protocol] for protocol, _ in _every_payload(one) if protocol in FAMILY_OF}
            return found.pop() if len(found) == 1 else ""


def _protocol_of(one: Statement) -> str:
    """The protocol that the statement asks for, in nft's word."""
    match one.get("match"):
        case {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": str(name)}:
            return name
        case {
            "op": "==",
            "left": {"payload": {"protocol": "ip" | "ip6", "field": "protocol" | "nexthdr"}},
            "right": str(name),
        }:
            return name
        case _:
            found = {TRANSPORT[protocol] for protocol, _ in _every_payload(one) if protocol in TRANSPORT}
            return found.pop() if len(found) == 1 else ""


def _check(statements: Sequence[Statement], family: str) -> None:
    network = family if family in {"ip", "ip6"} else ""
    transport = ""
    ported = False
    several: frozenset[str] = frozenset()
    for one in statements:
        if family in {"ip", "ip6"} and _key_of(one) == {"meta": {"key": "nfproto"}}:
            raise RefusedError("meta nfproto is only useful in a table of family inet")
        for protocol, _ in _every_payload(one):
            wanted = FAMILY_OF.get(protocol, "")
            if wanted and network and wanted != network:
                raise RefusedError(f"conflicting protocols specified: {network} vs. {protocol}")
            network = network or wanted
            other = TRANSPORT.get(protocol, "")
            contrary = sorted(several - {other, protocol, NFNAME.get(wanted, "")})
            if (other or wanted) and contrary and _same_layer(contrary[0], other, wanted):
                raise RefusedError(f"conflicting protocols specified: {contrary[0]} vs. {protocol}")
            if other and transport and other != transport:
                raise RefusedError(f"conflicting protocols specified: {transport} vs. {protocol}")
        network = network or network_of(one)
        transport = transport or _protocol_of(one)
        several = several or _listed(one)
        ported = ported or bool(transport) or _asks_protocol(one)
        for kind in ("dnat", "snat", "redirect", "masquerade"):
            body = one.get(kind)
            if isinstance(body, dict) and "port" in body and not ported:
                raise RefusedError("a port to translate to needs a match of the transport protocol before it")


def _key_of(one: Statement) -> Json:
    match one.get("match"):
        case {"left": left}:
            return left
        case _:
            return None


def _listed(one: Statement) -> frozenset[str]:
    """Protocols or families of which one is asked for: no header of a single one may be looked at then."""
    match one.get("match"):
        case {
            "op": "==",
            "left": {"meta": {"key": "l4proto" | "nfproto"}} | {"payload": {"field": "protocol" | "nexthdr"}},
            "right": {"set": [*names]},
        }:
            return frozenset(map(str, names))
        case _:
            return frozenset()


def _same_layer(name: str, transport: str, network: str) -> bool:
    return bool(network) if name in NFPROTO else bool(transport)


def _asks_protocol(one: Statement) -> bool:
    match one.get("match"):
        case {"left": {"meta": {"key": "l4proto"}}} | {
            "left": {"payload": {"field": "protocol" | "nexthdr"}}
        }:
            return True
        case _:
            return any(protocol == "th" for protocol, _ in _every_payload(one))


def _with_families(statements: Sequence[Statement], family: str) -> list[Statement]:
    """Families of translations, and kinds of refusal, as matches before them tell them."""
    asked = ""
    transport = ""
    found: list[Statement] = []
    for one in statements:
        body = one.get("reject")
        translated = next((kind for kind in ("dnat", "snat") if kind in one), "")
        told = one.get(translated) if translated else None
        if "reject" in one:
            found += _reject(body, family, asked, transport)
        elif isinstance(told, dict) and told.get("family") == "":
            if not asked:
                raise RefusedError("ip or ip6 must be named with the address in a table of family inet")
            found.append({translated: {**told, "family": asked}})
        else:
            found.append(one)
        asked = asked or network_of(one)
        transport = transport or _protocol_of(one)
    return found


def _reject(body: Json, family: str, asked: str, transport: str) -> list[Statement]:
    if body is None:
        if family in ICMP or asked:
            sort = ICMP[family if family in ICMP else asked]
            return [{"reject": {"type": sort, "expr": "port-unreachable", **_quiet(family)}}]
        return [{"reject": {"type": "icmpx", "expr": "port-unreachable", "silent": True}}]
    if not isinstance(body, dict):
        return [{"reject": body}]
    if body.get("type") == "tcp reset":
        before: list[Statement] = []
        if not transport:
            before = [{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}]
        elif transport != "tcp":
            raise RefusedError("only TCP is answered with a reset")
        return [*before, {"reject": body}]
    usual = body.get("expr") == "port-unreachable"
    silent = usual and (body.get("type") == "icmpx" or (family in ICMP and body.get("type") == ICMP[family]))
    return [{"reject": {**body, "silent": True} if silent else body}]


def _quiet(family: str) -> dict[str, Json]:
    return {"silent": True} if family in ICMP else {}


def _joined(statements: Sequence[Statement]) -> list[Statement]:
    """Two fields that lie side by side are compared at once; they come back in the order of the header."""
    known = list(statements)
    for at, one in enumerate(known):
        protocol, field = _payload(one)
        if not _is_exact(one) or field not in {*ADJACENT, *ADJACENT.values()}:
            continue
        for later in range(at + 1, len(known)):
            other = known[later]
            if not _is_exact(other) or _payload(other)[0] != protocol:
                continue
            if ADJACENT.get(field) == _payload(other)[1]:
                return (
                    _joined([*known[: at + 1], _tied(other), *known[at + 1 : later], *known[later + 1 :]])
                    if later > at + 1
                    else known
                )
            if ADJACENT.get(_payload(other)[1]) == field:
                return _joined([*known[:at], *known[at + 1 : later], other, one, *known[later + 1 :]])
    return known


def _tied(one: Statement) -> Statement:
    return one


def _is_exact(one: Statement) -> bool:
    match one.get("match"):
        case {"op": "==", "left": {"payload": _}, "right": str() | int() as right}:
            return not (isinstance(right, str) and right.startswith("@"))
        case _:
            return False


def _without_dependencies(statements: Sequence[Statement], family: str) -> list[Statement]:
    """A match that one after it implies is not printed: `meta l4proto tcp tcp dport 22`."""
    known: list[Statement | None] = list(statements)
    for at, one in enumerate(statements):
        match one.get("match"):
            case {"op": "==", "left": {"meta": {"key": "protocol"}}, "right": str(name)} if name == family:
                known[at] = None
            case {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": str(name)} if family == "inet":
                if any(_implies(other, NFPROTO.get(name, "")) for other in statements[at + 1 :]):
                    known[at] = None
            case {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": str(name)}:
                _kill_transport(known, at, name)
            case {
                "op": "==",
                "left": {"payload": {"protocol": "ip" | "ip6", "field": "protocol" | "nexthdr"}},
                "right": str(name),
            } if family in {"ip", "ip6"}:
                _kill_transport(known, at, name)
            case _:
                pass
    return [one for one in known if one is not None]


def _implies(one: Statement, family: str) -> bool:
    reject = one.get("reject")
    if isinstance(reject, dict) and reject.get("type") == ICMP.get(family):
        return True
    return bool(family) and any(FAMILY_OF.get(protocol) == family for protocol, _ in _every_payload(one))


def _kill_transport(known: list[Statement | None], at: int, name: str) -> None:
    """Leaves a match of the protocol out where a header of it is looked at later; its ports then get their name."""
    header = next((header for header, protocol in TRANSPORT.items() if protocol == name), "")
    for later in range(at + 1, len(known)):
        one = known[later]
        if one is None:
            continue
        read = [protocol for protocol, _ in _every_payload(one)]
        if header and (header in read or "th" in read):
            known[at] = None
            known[later] = _renamed(one, header)


def _renamed(part: Statement, header: str) -> Statement:
    """`th` as the protocol that it is."""

    def walk(value: Json) -> Json:
        match value:
            case {"payload": {"protocol": "th", "field": field}}:
                return {"payload": {"protocol": header, "field": field}}
            case dict():
                return {key: walk(inner) for key, inner in value.items()}
            case list():
                return [walk(inner) for inner in value]
            case _:
                return value

    return {key: walk(value) for key, value in part.items()}
