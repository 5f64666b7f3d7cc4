"""The way back of nft tables rule by rule and element by element, as the plan tells it."""

from collections.abc import Iterator, Sequence

from planner.emit.nft import rebuilt, touched_objects, without_policy
from planner.models.node import NodeState
from planner.models.plan import NativeBack
from planner.parse.nft_tables import CHAIN, MAP, POLICY, SET, Key, NftObject, NftTable, own_tables
from planner.plan.by_rule import CHAINS, MOST, hunks
from planner.plan.facet import digest
from planner.plan.native import AGENTS, why_not
from planner.plan.scope import Scope

TABLE = "table"


def natives_back(before: NodeState, after: NodeState, how: Scope) -> Iterator[NativeBack]:
    """Everything that a step has changed, of tables of which all can be told rule by rule."""
    if before.native.text == after.native.text:
        return
    have, want = own_tables(before), own_tables(after)
    for title in sorted({*have, *want}):
        old, new = have.get(title), want.get(title)
        if old != new and not why_not(old, new):
            yield from _table(title, old, new, whole=title in how.whole_native)


def _table(title: str, old: NftTable | None, new: NftTable | None, *, whole: bool) -> Iterator[NativeBack]:
    family, _, name = title.partition(" ")
    sides = [table or NftTable(family, name) for table in (old, new)]
    keys = touched_objects(*sides)
    found: list[NativeBack] = []
    room = MOST
    for key in keys:
        back = _object(title, key, *(table.objects.get(key) for table in sides), whole=whole)
        if back is None:
            return
        room -= sum(len(hunk.added) + len(hunk.removed) for hunk in back.hunks)
        room -= len(back.added) + len(back.removed)
        found.append(back)
        if room < 0 or len(found) > CHAINS:
            return
    yield from found
    if old is not None and (new is None or old.head != new.head):
        yield NativeBack(
            things=_whole(title) if whole else (f"nft flags of table {title}",),
            table=title,
            kind=TABLE,
            deleted=new is None,
            again=new is not None and rebuilt(old, new),
            before=old.head,
            after=new.head if new else (),
        )


def _object(
    title: str, key: Key, old: NftObject | None, new: NftObject | None, *, whole: bool
) -> NativeBack | None:
    kind, name = key
    former, latter = (_head(one) for one in (old, new))
    back = NativeBack(
        things=_whole(title) if whole else (f"nft {kind} {name} of table {title}",),
        table=title,
        kind=kind,
        name=name,
        made=old is None,
        deleted=new is None,
        again=old is not None and new is not None and former != latter,
        before=former,
        after=latter,
    )
    if any("\n" in line for line in (*former, *latter)):
        return None
    if kind == CHAIN:
        return _chain(back, old, new)
    if kind not in {SET, MAP}:
        return back
    elements = [frozenset(one.lasting) if one else frozenset[str]() for one in (old, new)]
    if any("\n" in element for side in elements for element in side):
        return None
    if back.again and _type(former) != _type(latter):
        added, removed = elements[1], elements[0]
    else:
        added, removed = elements[1] - elements[0], elements[0] - elements[1]
    moving = any(one.dynamic for one in (old, new) if one)
    return back.model_copy(
        update={"added": tuple(sorted(added)), "removed": tuple(sorted(removed)), "moving": moving}
    )


def _chain(back: NativeBack, old: NftObject | None, new: NftObject | None) -> NativeBack | None:
    rules = [tuple(one_line(rule) for rule in one.body) if one else () for one in (old, new)]
    if any("\n" in rule for side in rules for rule in side):
        return None
    lined = hunks(*rules)
    if lined is None:
        return None
    owner = AGENTS.get(back.table.partition(" ")[2], "")
    return back.model_copy(
        update={
            "policy": _policy(old) if _policy(old) != _policy(new) else "",
            "owner": owner,
            "digest": digest("".join(f"{rule}\n" for rule in rules[1])) if owner else "",
            "hunks": lined,
        }
    )


def one_line(rule: str) -> str:
    """A rule with a block of rules in it on one line, as nft reads it, too."""
    return rule.replace(" {\n", " { ").replace("\n}", "; }").replace("\n", "; ") if "{\n" in rule else rule


def _whole(title: str) -> tuple[str, ...]:
    return f"nft table {title}", f"nft elements of table {title}"


def _head(one: NftObject | None) -> tuple[str, ...]:
    if one is None:
        return ()
    return tuple(filter(None, without_policy(one.head))) if one.kind == CHAIN else one.head


def _policy(one: NftObject | None) -> str:
    found = next((match for line in one.head if (match := POLICY.search(line))), None) if one else None
    return found[1] if found else ""


def _type(head: Sequence[str]) -> str:
    return next((line for line in head if line.startswith("type")), "")
