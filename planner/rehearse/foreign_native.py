"""What somebody else may do in nft tables: beside what a change has set there, and to the very same."""

import re
from collections.abc import Iterator

from planner.models.change import Change, NativeObjectChange, NativeRuleChange
from planner.models.node import NodeState
from planner.models.plan import NativeBack, Plan
from planner.parse.nft_tables import CHAIN, MAP, SET, Key, NftObject, element_key, own_tables
from planner.plan.native_parts import one_line
from planner.rehearse.foreign import COMMENT, SOMEBODY, TABLE, Foreign, NotPlayed, Offer, kind_of

SAMPLES = {
    "ipv4_addr": SOMEBODY,
    "ipv6_addr": "2001:db8::77",
    "inet_service": TABLE,
    "mark": "0x00007839",
    "ether_addr": "02:00:5e:10:00:77",
    "ifname": '"netchange77"',
    "inet_proto": "253",
    "verdict": "drop",
}
"""A value of each type that nobody uses (RFC 5737, RFC 3849, RFC 3692)."""
_TYPE = re.compile(r"type ([a-z0-9_ .]+?)(?: : ([a-z0-9_ .]+))?")
_BLOCK = re.compile(r"\b(?:jump|goto) \{|\bmeter ")


def native_beside(change: Change, start: NodeState, found: NodeState, plan: Plan) -> Iterator[Offer]:
    """Rules, elements and tables that the plan does not know."""
    table = "inet netchange_foreign"
    words = ("table", *table.split(" "))
    place = _place(change)
    if place is None:
        yield Foreign("another nft table", ("nft", "add", *words), ("nft", "delete", *words))
        return
    title, key = place
    kind = kind_of(change)
    there = [_object(state, title, key) for state in (start, found)]
    back = _back(plan, title, key)
    if there[0] is None or there[1] is None or back is None:
        yield NotPlayed(kind, f"{' '.join(key)} of table {title} comes or goes with the change")
    elif key[0] == CHAIN:
        yield _rule(title, key[1], back, kind)
    elif key[0] in {SET, MAP}:
        yield _element(title, there[1], kind)
    else:
        yield NotPlayed(kind, "nothing is put into it")


def native_same(change: Change, found: NodeState, plan: Plan) -> Iterator[Offer]:
    """A rule of the plan written again beside it, an element of the plan with other words."""
    place = _place(change)
    kind = kind_of(change)
    if place is None:
        yield NotPlayed(kind, "it is there or is not: what others do is done to what is in it")
        return
    title, key = place
    there, back = _object(found, title, key), _back(plan, title, key)
    if there is None or back is None:
        yield NotPlayed(kind, f"{' '.join(key)} of table {title} is not told by its parts, or gone")
    elif isinstance(change, NativeRuleChange):
        yield from _rule_again(title, there, back)
    elif key[0] in {SET, MAP}:
        yield from _element_again(title, there, back)
    else:
        yield NotPlayed(kind, "it is there or is not: what others do is done to what is in it")


def _place(change: Change) -> tuple[str, Key] | None:
    match change:
        case NativeRuleChange(table=title, chain=name):
            return title, (CHAIN, name)
        case NativeObjectChange(table=title, what=kind, name=name):
            return title, (kind, name)
        case _:
            return None


def _object(state: NodeState, title: str, key: Key) -> NftObject | None:
    table = own_tables(state).get(title)
    return table.objects.get(key) if table else None


def _back(plan: Plan, title: str, key: Key) -> NativeBack | None:
    """By the last step that touches it."""
    found = (
        back
        for step in reversed(plan.steps)
        for back in step.natives
        if (back.table, back.kind, back.name) == (title, *key)
    )
    return next(found, None)


def _rule(title: str, name: str, back: NativeBack, kind: str) -> Offer:
    plain = all(
        not hunk.removed or bool(hunk.added) or not hunk.last or (bool(hunk.above) and not hunk.bound)
        for hunk in back.hunks
    )
    if not plain:
        return NotPlayed(
            kind,
            f"the order of a rule at the end of chain {name} and those that come back is not plain there",
        )
    place = (*title.split(" "), name)
    words = " ".join(place)
    gone = (
        f"nft -a list chain {words} | sed -n 's/^.*comment \"{COMMENT}\" # handle //p' | "
        f"while read -r handle; do nft delete rule {words} handle $handle; done"
    )
    return Foreign(
        f"a rule more at the end of nft chain {name} of table {title}",
        ("nft", "add", "rule", *place, "counter", "comment", f'"{COMMENT}"'),
        ("sh", "-c", gone),
    )


def _element(title: str, there: NftObject, kind: str) -> Offer:
    line = next((line for line in there.head if line.startswith("type ")), "")
    types = _TYPE.fullmatch(line)
    sides = [_sample(side) for side in types.groups() if side] if types else []
    if not sides or not all(sides) or there.dynamic or any("constant" in line for line in there.head):
        return NotPlayed(kind, f"no element is known that {there.kind} {there.name} ({line}) takes")
    place = (*title.split(" "), there.name)
    return Foreign(
        f"an element more in nft {there.kind} {there.name} of table {title}",
        ("nft", "add", "element", *place, f"{{ {' : '.join(sides)} }}"),
        ("nft", "delete", "element", *place, f"{{ {sides[0]} }}"),
    )


def _sample(text: str) -> str:
    parts = [SAMPLES.get(part, "") for part in text.split(" . ")]
    return " . ".join(parts) if all(parts) else ""


def _rule_again(title: str, there: NftObject, back: NativeBack) -> Iterator[Offer]:
    rules = [one_line(rule) for rule in there.body]
    for rule in (rule for hunk in back.hunks for rule in hunk.added):
        if rule in rules and _BLOCK.search(rule) is None:
            yield Foreign(
                f"a rule of the plan written a second time, beside it, in nft chain {there.name} of table {title}",
                ("nft", "-f", "-"),
                thing=back.things[0],
                stdin=f"insert rule {title} {there.name} index {rules.index(rule)} {rule}\n",
            )
    yield NotPlayed(
        "nft rule",
        "the plan adds none: who writes one again that it has taken away, or moved, has put it back",
    )


def _element_again(title: str, there: NftObject, back: NativeBack) -> Iterator[Offer]:
    for element in back.added:
        if element not in there.lasting or ' comment "' in element:
            continue
        key = element_key(element)
        place = f"element {title} {there.name}"
        yield Foreign(
            f"the element {key} of nft {there.kind} {there.name} of table {title} with another comment",
            ("nft", "-f", "-"),
            thing=back.things[-1],
            stdin=f'delete {place} {{ {key} }}\nadd {place} {{ {key} comment "{COMMENT}"{element[len(key) :]} }}\n',
        )
    yield NotPlayed(
        kind=f"nft {there.kind}", reason="the plan adds no element that could be written otherwise"
    )
