"""Real changes as cases: the node that `before/` makes of a small world, and the files of `after/` as the proposal."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import small_world as world
import yaml

from planner.models.node import NodeState
from planner.models.proposal import Fragment
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose

ROOT = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
PAIRS = ROOT / "real" / "pairs"
SOURCES = frozenset({".md"})
"""Documents from which a dump was made, kept beside it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One change of a public repository, or one of its files where each stands for a node of its own."""

    id: str
    kind: str
    subject: str
    harmless: bool
    """Its author, or who collected it, says that nothing is meant to change."""
    before: dict[str, str]
    after: dict[str, str]

    def node(self) -> NodeState:
        """The node on which the former files were applied, with the bridges of containers that they speak of."""
        bridges = sorted(set(re.findall(r"-[io] (docker\d+|br\w*)\b", " ".join(self.after.values()))))
        held = [
            world.Link(name, f"172.{17 + at}.0.1/16", kind=world.BRIDGE) for at, name in enumerate(bridges)
        ]
        ways = [
            f"172.{17 + at}.0.0/16 dev {name} proto kernel scope link src 172.{17 + at}.0.1"
            for at, name in enumerate(bridges)
        ]
        base = world.node(
            links=(*world.ROUTED, *held), routes=(*world.ROUTED_ROUTES, *ways), sysctls=world.OF_THE_MACHINE
        )
        stages = propose(base, [recognise(path, text) for path, text in self.before.items()]).stages
        return (stages[-1].after if stages else base).model_copy(update={"gaps": ()})

    def fragments(self) -> list[Fragment]:
        """The latter files, and the former ones that are gone."""
        found = [recognise(path, text) for path, text in self.after.items()]
        gone = [recognise(path, text) for path, text in self.before.items() if path not in self.after]
        return found + [item.model_copy(update={"text": None}) for item in gone if item.target]


def pairs() -> Iterator[Pair]:
    """Every pair, in order of their names; none when the data is not there."""
    for folder in sorted(PAIRS.iterdir()) if PAIRS.is_dir() else ():
        meta = yaml.safe_load((folder / "meta.yaml").read_text(encoding="utf-8"))
        before, after = _texts(folder / "before"), _texts(folder / "after")
        expected = str(meta.get("expected", ""))
        told = f"{expected} {meta.get('collector_note', '')}"
        harmless = any(
            word in told
            for word in ("no change of packet treatment", "no effective change", "no behaviour change")
        )
        harmless |= any(
            word in told
            for word in ("same effective values", "no packet treatment", "not be scored as a network")
        )
        common = {
            "kind": meta["kind"],
            "subject": str(meta["commit_subject"]),
            "harmless": harmless or "logging only" in told,
        }
        if meta["kind"] != "iptables":
            yield Pair(id=folder.name, before=before, after=after, **common)
            continue
        loadable = [path for path in after if ".loadable" in path] or list(after)
        for path in loadable:
            name = folder.name if len(loadable) == 1 else f"{folder.name}/{path}"
            former = {path: before[path]} if path in before else {}
            yield Pair(id=name, before=former, after={path: after[path]}, **common)


def _texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in SOURCES
    }
