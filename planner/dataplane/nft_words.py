"""Expressions of nft as people read them: close to `nft list ruleset`, and different for different expressions."""

import json
from collections.abc import Mapping, Sequence

SIMPLE = frozenset({"accept", "drop", "return", "continue", "notrack", "counter"})


def words_of(expressions: Sequence[Mapping[str, object]]) -> str:
    """A rule."""
    return " ".join(filter(None, map(_statement, expressions))) or "counter"


def _statement(one: Mapping[str, object]) -> str:
    for kind, body in one.items():
        match kind, body:
            case ("match", {"left": left, "right": right, "op": str(op)}):
                sign = "" if op in {"==", "in"} else f"{op} "
                return f"{value_words(left)} {sign}{value_words(right)}"
            case (("jump" | "goto"), {"target": target}):
                return f"{kind} {target}"
            case ("vmap", {"key": key, "data": data}):
                return f"{value_words(key)} vmap {value_words(data)}"
            case ("mangle", {"key": key, "value": value}):
                return f"{value_words(key)} set {value_words(value)}"
            case (("dnat" | "snat" | "masquerade" | "redirect"), {**given}):
                return _translation(kind, given)
            case ("reject", {"type": str(sort), **rest}):
                return f"reject with {sort} {rest.get('expr', '')}".strip()
            case ("limit", {"rate": rate, "per": per, **rest}):
                return f"limit rate {'over ' if rest.get('inv') else ''}{rate}/{per}"
            case ("log", {"prefix": prefix}):
                return f"log prefix {_json(prefix)}"
            case (_, None):
                return kind
            case (name, _) if name in SIMPLE:
                return name
            case _:
                pass
    return _json(one)


def _translation(kind: str, given: Mapping[object, object]) -> str:
    words = [kind]
    where = value_words(given["addr"]) if "addr" in given else ""
    where += f":{value_words(given['port'])}" if "port" in given else ""
    if where:
        words.append(f"to {where}")
    return " ".join([*words, *([value_words(given["flags"])] if "flags" in given else [])])


def value_words(value: object) -> str:
    """A key, a constant, a set."""
    match value:
        case str() | int():
            return str(value)
        case [*parts]:
            return ",".join(map(value_words, parts))
        case {"meta": {"key": str(key), **rest}} if not rest:
            return key if key in {"iifname", "oifname", "iif", "oif", "mark"} else f"meta {key}"
        case {"payload": {"protocol": str(protocol), "field": str(name), **rest}} if not rest:
            return f"{protocol} {name}"
        case {"ct": {"key": str(key), **rest}}:
            return (
                f"ct {rest['dir']} {key}"
                if rest.keys() == {"dir"}
                else f"ct {key}"
                if not rest
                else _json(value)
            )
        case {"set": [*parts]}:
            return "{ " + ", ".join(map(_element, parts)) + " }"
        case {"range": [low, high]}:
            return f"{value_words(low)}-{value_words(high)}"
        case {"prefix": {"addr": addr, "len": length}}:
            return f"{addr}/{length}"
        case {"concat": [*parts]}:
            return " . ".join(map(value_words, parts))
        case {"&": [left, right]}:
            return f"{value_words(left)} & {value_words(right)}"
        case {"|": [left, right]}:
            return f"{value_words(left)} | {value_words(right)}"
        case {"^": [left, right]}:
            return f"{value_words(left)} ^ {value_words(right)}"
        case {"fib": {"result": str(result), "flags": flags}}:
            return f"fib {value_words(flags).replace(',', ' . ')} {result}"
        case _:
            return _json(value)


def _element(part: object) -> str:
    match part:
        case [key, {**verdict}]:
            return f"{value_words(key)} : {_statement({str(name): body for name, body in verdict.items()})}"
        case _:
            return value_words(part)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
