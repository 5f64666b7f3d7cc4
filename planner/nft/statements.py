"""One statement of a rule after the other, from its words to the JSON form of nft."""

from planner.nft.keys import Key, begins_key, read_key
from planner.nft.problem import NotReadError, RefusedError
from planner.nft.right import (
    VERDICTS,
    read_concat,
    read_flags,
    read_mapping,
    read_set,
    read_value,
    read_verdict,
    seconds,
)
from planner.nft.tokens import Cursor
from planner.nft.values import ADDRESSES, FLAGS, Json, interval_value, number_of, read_constant

Statement = dict[str, Json]
OPERATORS = {
    "==": "==", "eq": "==", "!=": "!=", "ne": "!=", "<": "<", "lt": "<", ">": ">", "gt": ">", "<=": "<=", "le": "<=",
    ">=": ">=", "ge": ">=", "!": "!",
}  # fmt: skip
BITWISE = {"&": "&", "and": "&", "|": "|", "or": "|", "^": "^", "xor": "^"}
FULL = 0xFFFFFFFF
BYTES = {"bytes": 1, "kbytes": 1024, "mbytes": 1024 * 1024}
SYSLOG = {"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"}
NAT_FLAGS = ("random", "fully-random", "persistent")
OBJECTS = {"counter": "counter", "limit": "limit", "quota": "quota"}
USUAL_BURST = 5
"""What nft takes where no burst is given, and does not print."""


def read_statement(cursor: Cursor, family: str) -> Statement:
    """The next statement. Raises NotReadError at words that are not known, RefusedError at what nft refuses."""
    word = cursor.peek()
    if word in VERDICTS:
        verdict = read_verdict(cursor)
        return verdict if isinstance(verdict, dict) else {}
    if word in OBJECTS and cursor.peek(1) == "name":
        cursor.take()
        cursor.take()
        if begins_key(cursor):
            raise NotReadError("an object by a map")
        return {word: cursor.take().text}
    match word:
        case "counter":
            return _counter(cursor)
        case "log":
            return _log(cursor)
        case "limit":
            return _limit(cursor)
        case "quota":
            return _quota(cursor)
        case "reject":
            return _reject(cursor, family)
        case "dnat" | "snat" | "masquerade" | "redirect":
            return _translation(cursor, family)
        case "notrack":
            cursor.take()
            return {"notrack": None}
        case "queue":
            return _queue(cursor)
        case "add" | "update" | "delete":
            return _set_statement(cursor)
        case "set" if cursor.peek(1) in {"add", "update", "delete"}:
            return _old_set_statement(cursor)
        case "ct" if cursor.peek(1) == "count":
            return _count(cursor)
        case "ct" if cursor.peek(1) in {"helper", "timeout", "expectation"} and cursor.peek(2) == "set":
            kind = f"ct {(cursor.take(), cursor.take())[1].text}"
            cursor.take()
            return {kind: cursor.take().text}
        case "tproxy":
            return _proxied(cursor)
        case "flow" if cursor.peek(1) == "add":
            return _flow(cursor)
        case _ if begins_key(cursor):
            return _keyed(cursor)
        case _:
            raise NotReadError(word)


def _number(cursor: Cursor) -> int:
    value = read_constant(cursor.take().text, "integer")
    if not isinstance(value, int):
        raise NotReadError(str(value))
    return value


def _counter(cursor: Cursor) -> Statement:
    cursor.take()
    if cursor.accept("packets"):
        _number(cursor)
        if not cursor.accept("bytes"):
            raise NotReadError("counter")
        _number(cursor)
    return {"counter": {"packets": 0, "bytes": 0}}


def _log(cursor: Cursor) -> Statement:
    cursor.take()
    told: dict[str, Json] = {}
    flags: list[Json] = []
    while cursor.peek() in {"prefix", "level", "group", "snaplen", "queue-threshold", "flags"}:
        match cursor.take().text:
            case "prefix":
                told["prefix"] = cursor.take().text
            case "level":
                told["level"] = cursor.take().text
                if told["level"] not in SYSLOG:
                    raise NotReadError("log level")
            case "flags":
                flags += _log_flags(cursor)
            case name:
                told[name] = _number(cursor)
    if told.get("level") == "warn":
        del told["level"]
    ordered: dict[str, Json] = {
        name: told[name] for name in ("prefix", "group", "snaplen", "queue-threshold", "level") if name in told
    }  # fmt: skip
    if flags:
        ordered["flags"] = flags[0] if len(flags) == 1 else flags
    return {"log": ordered or None}


def _log_flags(cursor: Cursor) -> list[Json]:
    word = cursor.take().text
    if word in {"all", "skuid", "ether"}:
        return [word]
    names = {"tcp": ("sequence", "options"), "ip": ("options",)}.get(word, ())
    found: list[Json] = []
    while cursor.peek() in names:
        found.append(f"{word} {cursor.take().text}")
        cursor.accept(",")
    if not found:
        raise NotReadError("log flags")
    return found


def _limit(cursor: Cursor) -> Statement:
    cursor.take()
    if not cursor.accept("rate"):
        raise NotReadError("limit")
    over = cursor.accept("over")
    cursor.accept("until")
    first, slash, per = cursor.take().text.partition("/")
    unit = ""
    if not slash and cursor.accept("/"):
        per = cursor.take().text
    elif not slash:
        unit, _, per = cursor.take().text.partition("/")
        if not per and cursor.accept("/"):
            per = cursor.take().text
    if per not in {"second", "minute", "hour", "day", "week"} or (unit and unit not in BYTES):
        raise NotReadError("limit rate")
    rate = read_constant(first, "integer")
    burst, burst_unit = USUAL_BURST, ""
    if unit:
        burst, burst_unit = 0, "bytes"
    if cursor.accept("burst"):
        burst, burst_unit = _number(cursor), cursor.take().text
        if burst_unit not in {"packets", *BYTES}:
            raise NotReadError("limit burst")
    told: dict[str, Json] = {}
    if unit:
        rate, unit = _sized(int(str(rate)) * BYTES[unit])
        burst, burst_unit = _sized(burst * BYTES[burst_unit]) if burst else (0, "bytes")
        told = {"rate": rate, "burst": burst, "per": per, "rate_unit": unit, "burst_unit": burst_unit}
    else:
        told = {"rate": rate, "burst": burst, "per": per}
    return {"limit": {**told, **({"inv": True} if over else {})}}


def _sized(octets: int) -> tuple[int, str]:
    """In the largest unit that leaves no rest."""
    for unit in ("mbytes", "kbytes"):
        if octets and octets % BYTES[unit] == 0:
            return octets // BYTES[unit], unit
    return octets, "bytes"


def _quota(cursor: Cursor) -> Statement:
    cursor.take()
    over = cursor.accept("over")
    cursor.accept("until")
    amount, unit = _number(cursor), cursor.take().text
    if unit not in BYTES:
        raise NotReadError("quota")
    amount, unit = _sized(amount * BYTES[unit])
    if cursor.accept("used"):
        _number(cursor)
        cursor.take()
    return {"quota": {"val": amount, "val_unit": unit, **({"inv": True} if over else {})}}


def _reject(cursor: Cursor, family: str) -> Statement:
    cursor.take()
    if not cursor.accept("with"):
        return {"reject": None}
    if cursor.accept("tcp", "reset"):
        return {"reject": {"type": "tcp reset"}}
    sort = cursor.take().text
    if sort not in {"icmp", "icmpv6", "icmpx"}:
        raise NotReadError("reject")
    cursor.accept("type")
    other = {"ip": "icmpv6", "ip6": "icmp"}.get(family)
    if sort == other or (sort == "icmpx" and family in {"ip", "ip6"}):
        raise RefusedError(f"`reject with {sort}` is for other packets than those of family {family}")
    return {"reject": {"type": sort, "expr": cursor.take().text}}


def _translation(cursor: Cursor, family: str) -> Statement:
    word = cursor.take().text
    told: dict[str, Json] = {}
    own = ""
    if word in {"dnat", "snat"}:
        if cursor.peek() in {"ip", "ip6"} and cursor.peek(1) in {"to", "prefix", "addr"}:
            own = cursor.take().text
        if cursor.peek() in {"prefix", "addr", "interval"}:
            raise NotReadError(f"{word} {cursor.peek()}")
        cursor.accept("to")
        told.update(_target(cursor, own or ("" if family == "inet" else family)))
        if own and family == "inet":
            told = {"family": own, **told}
        if family == "inet" and not own:
            told = {"family": "", **told}
    elif cursor.accept("to"):
        cursor.accept(":")
        told["port"] = _mapped(cursor, "inet_service")
    flags = []
    while cursor.peek() in NAT_FLAGS:
        flags.append(cursor.take().text)
        cursor.accept(",")
    if flags:
        ordered: list[Json] = [flag for flag in NAT_FLAGS if flag in flags]
        told["flags"] = ordered[0] if len(ordered) == 1 else ordered
    return {word: told or None}


def _target(cursor: Cursor, family: str) -> dict[str, Json]:
    """Address and port; without a family the address tells it."""
    told: dict[str, Json] = {}
    bracket = cursor.accept("[")
    if cursor.peek() != ":":
        six = bracket or ":" in cursor.peek() or family == "ip6"
        kind = "ipv6_addr" if six else "ipv4_addr"
        if begins_key(cursor) or cursor.peek() == "{":
            told["addr"] = _mapped(cursor, kind)
        else:
            told["addr"] = read_value(cursor, kind)
    if bracket and not cursor.accept("]"):
        raise NotReadError("an address in brackets")
    if cursor.accept(":"):
        told["port"] = _mapped(cursor, "inet_service")
    return told


def _mapped(cursor: Cursor, kind: str) -> Json:
    """A constant, or what a map makes of a key."""
    if not begins_key(cursor):
        return read_value(cursor, kind)
    key = read_key(cursor)
    if not cursor.accept("map"):
        raise NotReadError("map")
    return {"map": {"key": key.json, "data": read_mapping(cursor, key, (kind,))}}


def _queue(cursor: Cursor) -> Statement:
    cursor.take()
    told: dict[str, Json] = {}
    flags: list[Json] = []
    while True:
        if cursor.accept("num") or cursor.accept("to"):
            told["num"] = read_value(cursor, "integer")
        elif cursor.accept("flags"):
            continue
        elif cursor.peek() in {"bypass", "fanout"}:
            flags.append(cursor.take().text)
            cursor.accept(",")
        else:
            break
    if flags:
        told["flags"] = flags[0] if len(flags) == 1 else flags
    return {"queue": told or None}


def _proxied(cursor: Cursor) -> Statement:
    cursor.take()
    told: dict[str, Json] = {}
    if cursor.peek() in {"ip", "ip6"}:
        told["family"] = cursor.take().text
    if not cursor.accept("to"):
        raise NotReadError("tproxy")
    return {"tproxy": {**told, **_target(cursor, str(told.get("family", "")))}}


def _set_statement(cursor: Cursor) -> Statement:
    operation = cursor.take().text
    if not cursor.accept("@"):
        raise NotReadError(operation)
    name = "@" + cursor.take().text
    if not cursor.accept("{"):
        raise NotReadError(operation)
    key = read_key(cursor)
    timeout = seconds(cursor.take().text) if cursor.accept("timeout") else None
    inner: list[Json] = []
    while cursor.peek() in {"limit", "counter", "quota"} or (cursor.peek(), cursor.peek(1)) == (
        "ct",
        "count",
    ):
        one = read_statement(cursor, "inet")
        inner.append({"counter": None} if "counter" in one else one)
    if not cursor.accept("}"):
        raise NotReadError(operation)
    element: Json = key.json if timeout is None else {"elem": {"val": key.json, "timeout": timeout}}
    told: dict[str, Json] = {"op": operation, "elem": element, "set": name}
    return {"set": {**told, **({"stmt": inner} if inner else {})}}


def _old_set_statement(cursor: Cursor) -> Statement:
    cursor.take()
    operation = cursor.take().text
    key = read_key(cursor)
    if not cursor.accept("@"):
        raise NotReadError("set")
    return {"set": {"op": operation, "elem": key.json, "set": "@" + cursor.take().text}}


def _count(cursor: Cursor) -> Statement:
    cursor.take()
    cursor.take()
    over = cursor.accept("over")
    return {"ct count": {"val": _number(cursor), **({"inv": True} if over else {})}}


def _flow(cursor: Cursor) -> Statement:
    cursor.take()
    cursor.take()
    if not cursor.accept("@"):
        raise NotReadError("flow")
    return {"flow": {"op": "add", "flowtable": "@" + cursor.take().text}}


def _keyed(cursor: Cursor) -> Statement:
    """A statement that begins with a key: a comparison, a map of verdicts, or a value that is set."""
    key = read_key(cursor)
    if cursor.accept("vmap"):
        return {"vmap": {"key": key.json, "data": read_mapping(cursor, key, ("verdict",))}}
    if cursor.accept("set"):
        return {"mangle": {"key": key.json, "value": _assigned(cursor, key)}}
    if len(key.kind) == 1 and key.one in FLAGS:
        return _bits(cursor, key)
    if cursor.peek() in {"&", "and"}:
        return _masked(cursor, key)
    operator = OPERATORS[cursor.take().text] if cursor.peek() in OPERATORS else "=="
    if operator == "!":
        raise NotReadError("!")
    if cursor.peek() in {"<<", ">>", "|", "^", "or", "xor"}:
        raise NotReadError(cursor.peek())
    right = _right(cursor, key)
    if operator not in {"==", "!="} and not isinstance(right, int):
        raise NotReadError(operator)
    return {"match": {"op": operator, "left": key.json, "right": right}}


def _right(cursor: Cursor, key: Key) -> Json:
    if cursor.accept("@"):
        return "@" + cursor.take().text
    if cursor.peek() == "{":
        return read_set(cursor, key)
    return read_concat(cursor, key.kind)


def _masked(cursor: Cursor, key: Key) -> Statement:
    """`key & mask == value`; of an address with a mask of leading ones, a prefix."""
    cursor.take()
    kind = key.one
    if kind not in {"mark", "integer", *ADDRESSES}:
        raise NotReadError("&")
    mask = read_constant(cursor.take().text, kind)
    left: Json = {"&": [key.json, mask]}
    if cursor.accept("vmap"):
        return {"vmap": {"key": left, "data": read_mapping(cursor, key, ("verdict",))}}
    if cursor.peek() not in {"==", "!=", "eq", "ne"}:
        raise NotReadError("&")
    operator = OPERATORS[cursor.take().text]
    right = read_value(cursor, kind)
    if kind in ADDRESSES:
        bits = number_of(mask, kind)
        rest = (1 << ADDRESSES[kind]) - 1 - bits
        if rest & (rest + 1) == 0:
            low = number_of(right, kind)
            return {
                "match": {"op": operator, "left": key.json, "right": interval_value(low, low + rest, kind)}
            }
    return {"match": {"op": operator, "left": left, "right": right}}


def _bits(cursor: Cursor, key: Key) -> Statement:
    """Comparisons of data types whose bits have names."""
    kind = key.one
    if cursor.peek() in {"&", "and"}:
        cursor.take()
        mask = read_flags(cursor, kind)
        if cursor.accept("vmap"):
            raise NotReadError("a map of masked flags")
        operator = OPERATORS.get(cursor.take().text, "")
        value = read_flags(cursor, kind)
        return _flags_of(key, operator, mask, value)
    operator = OPERATORS[cursor.take().text] if cursor.peek() in OPERATORS else "in"
    if cursor.peek() == "@" or cursor.peek() == "{":
        right = _right(cursor, key)
        return {"match": {"op": "==" if operator == "in" else operator, "left": key.json, "right": right}}
    names = read_flags(cursor, kind)
    if cursor.accept("/"):
        return _flags_of(key, "==" if operator == "in" else operator, read_flags(cursor, kind), names)
    if len(names) > 1 and operator in {"==", "!="}:
        raise NotReadError("several flags")
    return {"match": {"op": operator, "left": key.json, "right": _named(names)}}


def _flags_of(key: Key, operator: str, mask: list[str], value: list[str]) -> Statement:
    """`key & mask == value`, in the shortest words (expression.c and netlink_delinearize.c of nft)."""
    if operator not in {"==", "!="} or not mask:
        raise NotReadError(operator)
    if not value:
        operator = {"==": "!", "!=": "in"}[operator]
        return {"match": {"op": operator, "left": key.json, "right": _named(mask)}}
    if len(mask) == len(FLAGS[key.one]) and len(value) == 1:
        return {"match": {"op": operator, "left": key.json, "right": value[0]}}
    left: Json = {"&": [key.json, _named(mask)]}
    return {"match": {"op": operator, "left": left, "right": _named(value)}}


def _named(names: list[str]) -> Json:
    return names[0] if len(names) == 1 else [*names]


def _assigned(cursor: Cursor, key: Key) -> Json:
    """The value that is set: a constant, what a map makes of a key, or bits of a mark."""
    kind = key.one
    if kind == "classid":
        word = cursor.take().text
        if word == "none" and not cursor.accept(":"):
            return "none"
        if cursor.accept(":"):
            return f"{word}:{cursor.take().text}"
        number = int(str(read_constant(word, "integer")))
        return f"{number >> 16:x}:{number & 0xFFFF:x}"
    if kind == "integer" and cursor.accept("rt", "mtu"):
        return {"rt": {"key": "mtu"}}
    if kind != "mark":
        return _mapped(cursor, kind)
    start = cursor.at
    if begins_key(cursor):
        source = read_key(cursor)
        if cursor.accept("map"):
            return {"map": {"key": source.json, "data": read_mapping(cursor, source, (kind,))}}
    cursor.at = start
    origin, kept, made = _bitwise(cursor)
    if origin is None:
        return made
    set_bits, flipped = made & ~kept & FULL, made & kept
    kept |= set_bits
    value = origin
    if kept != FULL:
        value = {"&": [value, kept]}
    if flipped:
        value = {"^": [value, flipped]}
    return {"|": [value, set_bits]} if set_bits else value


def _bitwise(cursor: Cursor) -> tuple[Json, int, int]:
    """`(origin & kept) ^ made`; without an origin a number."""
    if cursor.accept("("):
        origin, kept, made = _bitwise(cursor)
        if not cursor.accept(")"):
            raise NotReadError("(")
    elif begins_key(cursor):
        key = read_key(cursor)
        if key.one != "mark":
            raise NotReadError("a mark of something else")
        origin, kept, made = key.json, FULL, 0
    else:
        number = read_constant(cursor.take().text, "mark")
        origin, kept, made = None, 0, int(str(number))
    while cursor.peek() in BITWISE:
        operator = BITWISE[cursor.take().text]
        if cursor.accept("("):
            raise NotReadError("(")
        bits = int(str(read_constant(cursor.take().text, "mark")))
        match operator:
            case "&":
                kept, made = kept & bits, made & bits
            case "|":
                kept, made = kept & ~bits & FULL, made | bits
            case _:
                made ^= bits
    if cursor.peek() in {"<<", ">>"}:
        raise NotReadError("a shifted mark")
    return origin, kept, made
