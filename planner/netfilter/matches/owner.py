"""owner: the socket that sends a local packet."""

from planner.netfilter.condition import Condition, Field, Interval, Not, Opaque, field_in
from planner.netfilter.extension import Context, Kind, Match, Option, Settings, Use
from planner.netfilter.kinds import flag, number, show_interval
from planner.netfilter.names import GROUPS, USERS, account
from planner.netfilter.problem import RuleError


def owners(known: dict[str, int], what: str) -> Kind[Interval]:
    """A name, a number or `low-high`."""

    def read(words: tuple[str, ...], _family: str) -> Interval:
        if not words[0][:1].isdigit():
            value = account(words[0], known, what)
            return value, value
        first, found, second = words[0].partition("-")
        low = number(first, 0, 0xFFFFFFFE)
        high = number(second, 0, 0xFFFFFFFE) if found else low
        if low > high:
            raise RuleError(f"`{words[0]}` runs backwards")
        return low, high

    return Kind(read=read, show=lambda value, _family: show_interval(value, "-"))


def settle(given: Settings, _context: Context) -> Settings:
    """`suppl-groups` stands after the group."""
    names = [setting.name for setting in given]
    if "suppl-groups" in names and "gid-owner" not in names[: names.index("suppl-groups")]:
        raise RuleError("`--suppl-groups` must follow --gid-owner")
    return given


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """A packet without a socket meets every negation and nothing else (xt_owner.c, owner_mt)."""
    if any(setting.name == "suppl-groups" for setting in use.settings):
        return (Opaque(EXTENSION.text(use, context.family), stateful=False),)
    conditions: list[Condition] = []
    for setting in use.settings:
        if setting.name == "socket-exists":
            conditions.append(
                field_in(Field.HAS_SOCKET, ((1, 1),), family=context.family, inverted=setting.inverted)
            )
            continue
        field = Field.USER if setting.name == "uid-owner" else Field.GROUP
        owned = field_in(field, (setting.value,), family=context.family)
        conditions.append(Not(owned) if setting.inverted else owned)
    return tuple(conditions)


EXTENSION = Match(
    name="owner",
    options=(
        Option("socket-exists", flag(), inverts=True),
        Option("uid-owner", owners(USERS, "user"), inverts=True),
        Option("gid-owner", owners(GROUPS, "group"), inverts=True),
        Option("suppl-groups", flag()),
    ),
    any_of=("socket-exists", "uid-owner", "gid-owner"),
    settle=settle,
    meaning=meaning,
)
