"""A rule in the JSON form of nft as the line that `nft list ruleset` prints."""

from collections.abc import Sequence

from planner.nft.keys import key_text, kinds_of
from planner.nft.problem import NotReadError
from planner.nft.right import VERDICTS, mapping_text, time_text, value_text, verdict_text
from planner.nft.statements import USUAL_BURST, Statement
from planner.nft.values import FLAGS, Json, constant_text


def rule_text(statements: Sequence[Statement], comment: str = "") -> str:
    """The line of a rule."""
    words = [statement_text(one) for one in statements]
    return " ".join([*words, *([f'comment "{comment}"'] if comment else [])])


def statement_text(one: Statement) -> str:
    """One statement."""
    ((kind, body),) = one.items()
    if kind in VERDICTS:
        return verdict_text(one)
    match kind, body:
        case "unread", str():
            return body
        case "match", {"op": str(operator), "left": left, "right": right}:
            return _comparison(operator, left, right)
        case "vmap", {"key": key, "data": data}:
            return f"{_masked_key(key)} vmap {mapping_text(data, kinds_of(key), ('verdict',))}"
        case "mangle", {"key": key, "value": value}:
            return f"{key_text(key)} set {_assigned(value, kinds_of(key)[0])}"
        case "counter", {**_told}:
            return "counter packets 0 bytes 0"
        case (("counter" | "limit" | "quota"), str()):
            return f'{kind} name "{body}"'
        case (("ct helper" | "ct timeout" | "ct expectation"), str()):
            return f'{kind} set "{body}"'
        case "log", _:
            return _log(body if isinstance(body, dict) else {})
        case "limit", dict():
            return limit_text(body)
        case "quota", {"val": amount, "val_unit": unit, **rest}:
            return f"quota {'over ' if rest.get('inv') else ''}{amount} {unit}"
        case "ct count", {"val": amount, **rest}:
            return f"ct count {'over ' if rest.get('inv') else ''}{amount}"
        case "reject", {"type": sort, "expr": name, **rest}:
            return "reject" if rest.get("silent") else f"reject with {sort} {name}"
        case "reject", {"type": sort}:
            return f"reject with {sort}"
        case (("dnat" | "snat" | "masquerade" | "redirect"), _):
            return _translation(kind, body if isinstance(body, dict) else {})
        case "tproxy", dict():
            return _translation(kind, body)
        case "notrack", _:
            return "notrack"
        case "queue", _:
            return _queue(body if isinstance(body, dict) else {})
        case "set", dict():
            return f"{body['op']} {body['set']} {{ {_updated(body['elem'], body.get('stmt'))} }}"
        case "flow", {"op": operation, "flowtable": name}:
            return f"flow {operation} {name}"
        case _:
            raise NotReadError(kind)


def _masked_key(key: Json) -> str:
    match key:
        case {"&": [inner, mask]}:
            return f"{key_text(inner)} & {value_text(mask, kinds_of(inner))}"
        case _:
            return key_text(key)


def _comparison(operator: str, left: Json, right: Json) -> str:
    kinds = kinds_of(left)
    match left:
        case {"&": [inner, mask]} if kinds[0] in FLAGS:
            sign = "" if operator == "==" else f"{operator} "
            return f"{key_text(inner)} {sign}{value_text(right, kinds)} / {value_text(mask, kinds)}"
        case {"&": _}:
            return f"{_masked_key(left)} {operator} {value_text(right, kinds)}"
        case _:
            pass
    plain = operator == "in" or (
        operator == "==" and not (kinds[0] in FLAGS and isinstance(right, str) and not right.startswith("@"))
    )
    return f"{key_text(left)} {'' if plain else f'{operator} '}{value_text(right, kinds)}"


def _assigned(value: Json, kind: str) -> str:
    match value:
        case {"map": {"key": key, "data": data}}:
            return f"{key_text(key)} map {mapping_text(data, kinds_of(key), (kind,))}"
        case {"&": [inner, bits]}:
            return f"{_assigned(inner, kind)} & {constant_text(bits, kind)}"
        case {"|": [inner, bits]}:
            return f"{_assigned(inner, kind)} | {constant_text(bits, kind)}"
        case {"^": [inner, bits]}:
            return f"{_assigned(inner, kind)} ^ {constant_text(bits, kind)}"
        case {"prefix": _} | {"range": _}:
            return constant_text(value, kind)
        case dict():
            return key_text(value)
        case _:
            return constant_text(value, kind)


def _log(told: dict[str, Json]) -> str:
    words = ["log"]
    if "prefix" in told:
        words.append(f'prefix "{told["prefix"]}"')
    words += [
        f"{name} {told[name]}" for name in ("group", "snaplen", "queue-threshold", "level") if name in told
    ]
    flags = told.get("flags", [])
    names = [str(flag) for flag in (flags if isinstance(flags, list) else [flags])]
    tcp = [name.removeprefix("tcp ") for name in names if name.startswith("tcp ")]
    if tcp:
        words.append(f"flags tcp {','.join(tcp)}")
    words += [f"flags {name}" for name in names if not name.startswith("tcp ")]
    return " ".join(words)


def limit_text(told: dict[str, Json]) -> str:
    """`limit rate 10/second`."""
    over = "over " if told.get("inv") else ""
    if "rate_unit" in told:
        text = f"limit rate {over}{told['rate']} {told['rate_unit']}/{told['per']}"
        return text + (f" burst {told['burst']} {told['burst_unit']}" if told.get("burst") else "")
    burst = "" if told.get("burst") == USUAL_BURST else f" burst {told.get('burst')} packets"
    return f"limit rate {over}{told['rate']}/{told['per']}{burst}"


def _translation(kind: str, told: dict[str, Json]) -> str:
    words = [kind]
    if told.get("family"):
        words.append(str(told["family"]))
    where = ""
    if "addr" in told:
        address = told["addr"]
        six = isinstance(address, str) and ":" in address
        where = _assigned(address, "ipv6_addr" if six else "ipv4_addr")
        where = f"[{where}]" if six and "port" in told else where
    if "port" in told:
        where += f":{_assigned(told['port'], 'inet_service')}"
    words += ["to", where] if where else []
    flags = told.get("flags")
    words += (
        [flags] if isinstance(flags, str) else [",".join(map(str, flags))] if isinstance(flags, list) else []
    )
    return " ".join(words)


def _queue(told: dict[str, Json]) -> str:
    flags = told.get("flags")
    names = flags if isinstance(flags, list) else [flags] if flags else []
    words = ["queue", *([f"flags {','.join(map(str, names))}"] if names else [])]
    return " ".join([*words, *([f"to {constant_text(told['num'], 'integer')}"] if "num" in told else [])])


def _updated(element: Json, inner: Json) -> str:
    timeout = ""
    match element:
        case {"elem": {"val": key, "timeout": int(length)}}:
            timeout = f" timeout {time_text(length)}"
        case _:
            key = element
    rest = inner if isinstance(inner, list) else []
    words = [
        "counter" if one == {"counter": None} else statement_text(one)
        for one in rest
        if isinstance(one, dict)
    ]
    return " ".join([f"{_masked_key(key)}{timeout}", *words])
