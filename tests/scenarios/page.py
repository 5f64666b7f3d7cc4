"""Scenario pages: Markdown in which every level-2 heading is one change on one node, with the report that it must give.

A block is introduced by a line that holds a path in backticks and ends with a colon. `before/…` builds the node,
`proposal/…` is the change, and the `report` fence is the table, or the word `nothing`. Blocks above the first heading
belong to every scenario of the page; a scenario's own block of the same path replaces them. A `flows` fence lists packets
with what becomes of each before and after (see `flows.py`).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from planner.assess import assess
from planner.models.assessment import Assessment, ScoredFinding
from planner.models.cluster import Cluster
from planner.models.node import NodeState, Volatile
from planner.models.section import Section
from planner.models.snapshot import Snapshot
from planner.nft.state import Recorded
from planner.parse.cluster import parse_cluster
from planner.parse.node import parse_node
from planner.proposal.fragments import recognise

HERE = Path(__file__).parent
UPDATE = bool(os.environ.get("NETCHANGE_UPDATE_PAGES"))
HEAD = ("| level | risk | what happens | where |", "| --- | --- | --- | --- |")
NODE = "node-1"
TAKEN = "2024-01-01T00:00:00Z"
INTRODUCTION = re.compile(r"^`([^`]+)`.*:$")
FENCE = re.compile(r"^(`{3,}|~{3,})(\S*)")
SECTIONS = {
    "sysctl.txt": ("sysctl",),
    "iptables.txt": ("iptables-nft/ip",),
    "iptables-legacy.txt": ("iptables-legacy/ip",),
    "ip6tables.txt": ("iptables-nft/ip6",),
    "routes.txt": ("ip/route4-text",),
    "routes6.txt": ("ip/route6-text",),
    "rules.txt": ("ip/rule4-text",),
    "rules6.txt": ("ip/rule6-text",),
    "addr.txt": ("ip/addr-text",),
    "neigh.txt": ("ip/neigh-text",),
    "fdb.txt": ("bridge/fdb-text",),
    "ipset.txt": ("ipset",),
    "nft.txt": ("nft/text",),
    "modules.txt": ("modules",),
    "listeners.txt": ("listeners",),
    "cni-bin.txt": ("cni-plugins",),
}
RULES = "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n"


@dataclass(slots=True)
class Scenario:
    """One heading of a page."""

    page: Path
    name: str
    before: dict[str, str] = field(default_factory=dict)
    proposal: dict[str, str] = field(default_factory=dict)
    report: str | None = None
    span: tuple[int, int] = (0, 0)
    """Lines of the report's fence: the one after its opening, and its closing."""
    flows: str = ""
    """Text of the `flows` fence."""
    flows_span: tuple[int, int] = (0, 0)

    @property
    def id(self) -> str:
        """Name for pytest."""
        return f"{self.page.stem}: {self.name}"


def read(page: Path) -> Iterator[Scenario]:
    """Every scenario of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    current: Scenario | None = None
    shared: dict[str, str] = {}
    path, number = "", 0
    while number < len(lines):
        line = lines[number]
        fence = FENCE.match(line)
        if fence:
            end = next(
                (n for n in range(number + 1, len(lines)) if lines[n].strip() == fence[1]), len(lines) - 1
            )
            text = "\n".join(lines[number + 1 : end]) + "\n"
            if current is not None and fence[2] == "report":
                current.report, current.span = text, (number + 1, end)
            elif current is not None and fence[2] == "flows":
                current.flows, current.flows_span = text, (number + 1, end)
            elif path.startswith("before/"):
                (shared if current is None else current.before)[path.removeprefix("before/")] = text
            elif current is not None and path.startswith("proposal/"):
                current.proposal[path.removeprefix("proposal/")] = text
            path, number = "", end
        elif line.startswith("## "):
            if current is not None and current.proposal:
                yield current
            current = Scenario(page, line.removeprefix("## ").strip(), dict(shared))
        else:
            introduced = INTRODUCTION.match(line)
            path = introduced[1] if introduced else path if not line.strip() else ""
        number += 1
    if current is not None and current.proposal:
        yield current


def node_of(scenario: Scenario) -> NodeState:
    """The node as the project's own parsers read it. What a page leaves out is empty, not unknown."""
    given = dict(scenario.before)
    given.setdefault("rules.txt", RULES)
    sections = [
        Section(name=name, argv=f"before/{file}", text=text)
        for file, text in given.items()
        for name in SECTIONS.get(file, ())
    ]
    if "version.txt" in given:
        words = dict(line.split(maxsplit=1) for line in given["version.txt"].splitlines() if line.strip())
        sections.append(Section(name="kernel", text=words.get("kernel", "")))
    sections += [
        Section(name=f"file/{path.lstrip('/')}", argv=f"/{path.lstrip('/')}", text=text)
        for path, text in given.items()
        if path.split("/")[0] in {"etc", "run", "usr", "var", "opt", "lib", ""}
    ]
    if "nft.txt" in given:
        sections.append(Section(name="nft/json", text=_nft_json(given["nft.txt"])))
    state = parse_node(sections, name=NODE)
    tools = dict(line.split(maxsplit=1) for line in given.get("tools.txt", "").splitlines() if line.strip())
    extra = dict(state.volatile.extra)
    return state.model_copy(
        update={
            "gaps": (),
            "tools": {**state.tools, **tools},
            "volatile": _volatile(state.volatile.model_copy(update={"extra": extra}), given),
        }
    )


def _nft_json(text: str) -> str:
    """What `nft -j` says of tables that a page shows as text."""
    tables = Recorded(text, "")
    for key in tables.names():
        tables.table(key)
    return tables.json_text()


def _volatile(volatile: Volatile, given: dict[str, str]) -> Volatile:
    update: dict[str, object] = {}
    if "conntrack.txt" in given:
        count, *rest = (int(word) for word in given["conntrack.txt"].split())
        update["conntrack"] = volatile.conntrack.model_copy(
            update={"count": count, "maximum": rest[0] if rest else volatile.conntrack.maximum}
        )
    if "neigh-count.txt" in given:
        words = given["neigh-count.txt"].split()
        update["neighbour_count"] = {
            family: int(word) for family, word in zip(("ip", "ip6"), words, strict=False)
        }
    return volatile.model_copy(update=update)


def cluster_of(scenario: Scenario) -> Cluster | None:
    """What `before/cluster/*` holds."""
    files = {
        path.removeprefix("cluster/"): text
        for path, text in scenario.before.items()
        if path.startswith("cluster/")
    }
    return parse_cluster(files)[0] if files else None


def run(scenario: Scenario) -> Assessment:
    """The whole pipeline on the scenario."""
    snapshot = Snapshot(taken_at=TAKEN, nodes=(node_of(scenario),), cluster=cluster_of(scenario))
    fragments = [recognise(path, text) for path, text in scenario.proposal.items()]
    return assess(snapshot, fragments)


def table(assessment: Assessment) -> str:
    """The report as the fence holds it."""
    rows = [_row(scored) for scored in assessment.findings]
    return "\n".join((*HEAD, *rows)) + "\n" if rows else "nothing\n"


def _row(scored: ScoredFinding) -> str:
    finding = scored.finding
    source = finding.source or finding.change.source
    cells = (scored.score.level.words, f"`{finding.risk}`", finding.message, str(source or ""))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def rewrite(page: Path, reports: list[tuple[tuple[int, int], str]]) -> None:
    """Put the real reports into the page's fences."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for (start, end), text in sorted(reports, reverse=True):
        lines[start:end] = text.splitlines()
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pages() -> list[Path]:
    """Every page, by name."""
    return sorted(HERE.glob("*.md"))
