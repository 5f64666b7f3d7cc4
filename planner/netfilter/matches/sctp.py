"""sctp: ports and chunk types of SCTP."""

import re
from dataclasses import dataclass

from planner.netfilter.condition import Condition, Field, Opaque, field_in
from planner.netfilter.extension import Context, Kind, Match, Option, Use
from planner.netfilter.kinds import port_interval
from planner.netfilter.problem import RuleError

# RFC 9260, 3168, 6525, 4820, 5061, 3758, 8260: by number, which is the order of printing
CHUNKS = {
    "DATA": 0, "INIT": 1, "INIT_ACK": 2, "SACK": 3, "HEARTBEAT": 4, "HEARTBEAT_ACK": 5, "ABORT": 6, "SHUTDOWN": 7,
    "SHUTDOWN_ACK": 8, "ERROR": 9, "COOKIE_ECHO": 10, "COOKIE_ACK": 11, "ECN_ECNE": 12, "ECN_CWR": 13,
    "SHUTDOWN_COMPLETE": 14, "I_DATA": 64, "ASCONF_ACK": 128, "RE_CONFIG": 130, "PAD": 132, "FORWARD_TSN": 192,
    "ASCONF": 193, "I_FORWARD_TSN": 194,
}  # fmt: skip
FLAGS = {"DATA": "-----UBE", "I_DATA": "----IUBE", "ABORT": "-------T", "SHUTDOWN_COMPLETE": "-------T"}
CHUNK = re.compile(r"([A-Za-z_]+)(?::([A-Za-z]+))?")


@dataclass(frozen=True, slots=True)
class Chunks:
    """Which chunks a packet must have, and how many of them."""

    scope: str
    types: tuple[str, ...]
    """With flags, as printed; ALL for every type."""


def read_flags(name: str, letters: str) -> str:
    """Large letters must be set, small ones clear; printed from the highest bit, the last word on each counts."""
    known = FLAGS.get(name, "")
    given = {letter.upper(): letter for letter in letters}
    for bit in given:
        if bit not in known or bit == "-":
            raise RuleError(f"`{name}` has no flag `{bit}`")
    return "".join(given[bit] for bit in known if bit in given)


def read(words: tuple[str, ...], _family: str) -> Chunks:
    """`all|any|only` and the types."""
    scope = words[0].lower()
    if scope not in {"all", "any", "only"}:
        raise RuleError("chunk types begin with all, any or only")
    if words[1].upper() in {"ALL", "NONE"}:
        return Chunks(scope, (words[1].upper(),))
    found: dict[str, str] = {}
    for word in words[1].split(","):
        parts = CHUNK.fullmatch(word)
        if not parts or parts[1].upper() not in CHUNKS:
            raise RuleError(f"unknown chunk type `{word}`")
        name = parts[1].upper()
        flags = read_flags(name, parts[2] or "")
        found[name] = f"{name}:{flags}" if flags else name
    return Chunks(scope, tuple(found[name] for name in CHUNKS if name in found))


SPORT = Option("sport", port_interval(), aliases=("source-port",), inverts=True)
DPORT = Option("dport", port_interval(), aliases=("destination-port",), inverts=True)
TYPES = Option(
    "chunk-types",
    Kind(read=read, show=lambda value, _family: f"{value.scope} {','.join(value.types)}", words=2),
    inverts=True,
)


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Chunks are not modelled."""
    conditions: list[Condition] = []
    for setting in use.settings:
        if setting.name == TYPES.name:
            conditions.append(Opaque(EXTENSION.text(Use("sctp", (setting,)), context.family), stateful=False))
        else:
            field = Field.SOURCE_PORT if setting.name == SPORT.name else Field.DESTINATION_PORT
            conditions.append(
                field_in(field, (setting.value,), family=context.family, inverted=setting.inverted)
            )
    return tuple(conditions)


EXTENSION = Match(name="sctp", options=(SPORT, DPORT, TYPES), protocols=(132,), meaning=meaning)
