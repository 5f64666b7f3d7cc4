"""CT: what the conntrack entry of a packet will be, before it is made."""

from planner.netfilter.effect import Effect, Notrack, Track
from planner.netfilter.extension import Context, Kind, Option, Target, Use
from planner.netfilter.kinds import bare, flag, number
from planner.netfilter.problem import RuleError

EVENTS = (
    "new",
    "related",
    "destroy",
    "reply",
    "assured",
    "protoinfo",
    "helper",
    "mark",
    "natseqinfo",
    "secmark",
)


def events(known: tuple[str, ...]) -> Kind[tuple[str, ...]]:
    """Names between commas."""

    def read(words: tuple[str, ...], _family: str) -> tuple[str, ...]:
        given = set(words[0].split(","))
        if not given.issubset(known):
            raise RuleError(f"unknown event type `{min(given.difference(known))}`")
        return tuple(name for name in known if name in given)

    return Kind(read=read, show=lambda value, _family: ",".join(value))


def read_zone(words: tuple[str, ...], _family: str) -> int | None:
    """A number, or None for the packet's mark."""
    return None if words[0] == "mark" else number(words[0], 0, 0xFFFF)


def effect(use: Use, context: Context) -> Effect:
    """Without an entry, or with a template for one."""
    if any(setting.name == "notrack" for setting in use.settings):
        return Notrack()
    return Track(EXTENSION.text(use, context.family))


ZONE = Kind(read=read_zone, show=lambda value, _family: "mark" if value is None else str(value))
EXTENSION = Target(
    name="CT",
    options=(
        Option("notrack", flag()),
        Option("helper", bare(1, 15)),
        Option("timeout", bare(1, 31)),
        Option("ctevents", events(EVENTS)),
        Option("expevents", events(("new",))),
        Option("zone", ZONE),
        Option("zone-orig", ZONE),
        Option("zone-reply", ZONE),
    ),
    exclusive=(("zone", "zone-orig"), ("zone", "zone-reply")),
    effect=effect,
)
