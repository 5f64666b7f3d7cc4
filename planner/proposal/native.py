"""The step from the nft tables of one state to those of another: one transaction."""

import json
import re
from collections.abc import Iterator

from planner.emit.nft import differing_objects, transaction, unusable
from planner.models.change import Cause
from planner.models.node import NodeState
from planner.models.proposal import Command, Effect, Stage
from planner.models.ruleset import NativeRuleset
from planner.models.source import Gap, Source
from planner.parse.nft_tables import NftTable, own_tables

_BLOCK = re.compile(r"^table (\S+ \S+) \{\n.*?^\}\n?", re.MULTILINE | re.DOTALL)


def native_stage(state: NodeState, want: NodeState, source: Source) -> Iterator[Stage | Gap]:
    """At most one stage, and a gap for each table that differs and that nobody here can change."""
    if state.native.text == want.native.text or _unread(state) or _unread(want):
        return
    have, wanted = own_tables(state), own_tables(want)
    left: set[str] = set()
    for title in sorted({*have, *wanted}):
        former, latter = have.get(title), wanted.get(title)
        differs = (
            former is None
            or latter is None
            or former.head != latter.head
            or differing_objects(former, latter)
        )
        reason = next((found for one in (former, latter) if one and (found := unusable(one))), "")
        if differs and reason:
            left.add(title)
            yield Gap(
                section="proposal", reason=f"no step changes nft table {title}: {reason}", source=source
            )
    text = transaction(_without(have, left), _without(wanted, left))
    if not text:
        return
    changed = sorted({*have, *wanted} - left)
    yield Stage(
        operation=Command(argv=("nft", "-f", "-"), stdin=text, source=source),
        after=state.model_copy(update={"native": _mixed(state, want, left)}),
        effects=tuple(Effect(what=f"nft/{title}", cause=Cause.PROPOSED, source=source) for title in changed),
    )


def _unread(state: NodeState) -> bool:
    """Whether the text was not read. The objects may be missing, which only the analysis of packets needs."""
    sections = {gap.section for gap in state.gaps}
    return "nft/text" in sections or ("nft" in sections and not state.native.text)


def _without(tables: dict[str, NftTable], left: set[str]) -> dict[str, NftTable]:
    return {title: table for title, table in tables.items() if title not in left}


def _mixed(state: NodeState, want: NodeState, left: set[str]) -> NativeRuleset:
    """The wanted tables, and the former ones of those that are left as they are and of iptables' own."""
    own = {*own_tables(state), *own_tables(want)} - left
    text = "".join(
        found[0]
        for side, mine in ((state, False), (want, True))
        for found in _BLOCK.finditer(side.native.text)
        if (found[1] in own) is mine
    )
    return want.native.model_copy(update={"text": text, "json_text": _mixed_json(state, want, own)})


def _mixed_json(state: NodeState, want: NodeState, own: set[str]) -> str:
    kept = [
        item
        for side, mine in ((state, False), (want, True))
        for item in (json.loads(side.native.json_text)["nftables"] if side.native.json_text else ())
        if (_title(item) in own) is mine
    ]
    return json.dumps({"nftables": kept}, separators=(",", ":"), ensure_ascii=False) if kept else ""


def _title(item: dict[str, dict[str, object]]) -> str:
    for kind, body in item.items():
        return f"{body.get('family')} {body.get('name' if kind == 'table' else 'table')}"
    return ""
