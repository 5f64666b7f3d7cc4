"""icmp: type and code of ICMP for IPv4."""

from planner.netfilter.condition import NEVER, Condition, Field, OneOf, field_in
from planner.netfilter.extension import Context, Kind, Match, Option, Use
from planner.netfilter.kinds import number, read_interval
from planner.netfilter.problem import RuleError

Type = tuple[int, int, int]
"""Type, lowest and highest code."""
ANY = 255
NAMES: dict[str, Type] = {
    "any": (255, 0, 255), "echo-reply": (0, 0, 255), "pong": (0, 0, 255), "destination-unreachable": (3, 0, 255),
    "network-unreachable": (3, 0, 0), "host-unreachable": (3, 1, 1), "protocol-unreachable": (3, 2, 2),
    "port-unreachable": (3, 3, 3), "fragmentation-needed": (3, 4, 4), "source-route-failed": (3, 5, 5),
    "network-unknown": (3, 6, 6), "host-unknown": (3, 7, 7), "network-prohibited": (3, 9, 9),
    "host-prohibited": (3, 10, 10), "tos-network-unreachable": (3, 11, 11), "tos-host-unreachable": (3, 12, 12),
    "communication-prohibited": (3, 13, 13), "host-precedence-violation": (3, 14, 14), "precedence-cutoff": (3, 15, 15),
    "source-quench": (4, 0, 255), "redirect": (5, 0, 255), "network-redirect": (5, 0, 0), "host-redirect": (5, 1, 1),
    "tos-network-redirect": (5, 2, 2), "tos-host-redirect": (5, 3, 3), "echo-request": (8, 0, 255), "ping": (8, 0, 255),
    "router-advertisement": (9, 0, 255), "router-solicitation": (10, 0, 255), "time-exceeded": (11, 0, 255),
    "ttl-exceeded": (11, 0, 255), "ttl-zero-during-transit": (11, 0, 0), "ttl-zero-during-reassembly": (11, 1, 1),
    "parameter-problem": (12, 0, 255), "ip-header-bad": (12, 0, 0), "required-option-missing": (12, 1, 1),
    "timestamp-request": (13, 0, 255), "timestamp-reply": (14, 0, 255), "address-mask-request": (17, 0, 255),
    "address-mask-reply": (18, 0, 255),
}  # fmt: skip


def read_type(word: str, names: dict[str, Type]) -> Type:
    """`type`, `type/code`, `type/low:high`, or the beginning of a name that only one type has."""
    if word[:1].isdigit():
        kind, found, code = word.partition("/")
        low, high = read_interval(code, 0, 255, ":", number) if found else (0, 255)
        return number(kind, 0, 255), low, high
    if word.lower() in names:
        return names[word.lower()]
    fitting = {names[name] for name in names if word and name.startswith(word.lower())}
    if len(fitting) != 1:
        raise RuleError(
            f"`{word}` is {'several' if fitting else 'no'} known ICMP type{'s' if fitting else ''}"
        )
    return fitting.pop()


def show_type(value: Type, *, any_type: int = -1) -> str:
    """By number; a name only for all of them."""
    kind, low, high = value
    if kind == any_type and (low, high) == (0, 255):
        return "any"
    if (low, high) == (0, 255):
        return str(kind)
    return f"{kind}/{low}" if low == high else f"{kind}/{low}:{high}"


TYPE = Option(
    "icmp-type",
    Kind(
        read=lambda words, _family: read_type(words[0], NAMES),
        show=lambda value, _family: show_type(value, any_type=ANY),
    ),
    inverts=True,
)


def lower_type(value: Type, *, inverted: bool, family: str) -> tuple[Condition, ...]:
    """Type and code; negated, one of the two differs."""
    kind, low, high = value
    types = field_in(Field.ICMP_TYPE, ((kind, kind),), family=family, inverted=inverted)
    if (low, high) == (0, 255):
        return (types,)
    codes = field_in(Field.ICMP_CODE, ((low, high),), family=family, inverted=inverted)
    return (OneOf((types, codes)),) if inverted else (types, codes)


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Type 255 stands for every type (ip_tables.c, icmp_type_code_match)."""
    value = TYPE.of(use) or (ANY, 0, 255)
    inverted = TYPE.inverted_in(use)
    if value[0] == ANY:
        return (NEVER,) if inverted else ()
    return lower_type(value, inverted=inverted, family=context.family)


EXTENSION = Match(
    name="icmp", families=("ip",), options=(TYPE,), required=("icmp-type",), protocols=(1,), meaning=meaning
)
