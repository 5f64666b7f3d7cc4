"""The page about one risk, as `netchange explain` and the documentation show it."""

from difflib import get_close_matches

from planner.errors import NetchangeError
from planner.risks.catalogue import Entry, entries
from planner.risks.risk import AnyRisk

KINDS = {
    "SysctlChange": "running sysctl values",
    "RuleChange": "iptables rules",
    "ChainChange": "iptables chains",
    "ChainPolicyChange": "chain policies",
    "NativeTableChange": "nft tables",
    "NativeRuleChange": "rules of nft tables",
    "NativeObjectChange": "chains and sets of nft tables",
    "IpSetChange": "ipsets",
    "RouteChange": "routes",
    "PolicyRuleChange": "policy rules",
    "NextHopChange": "nexthop objects",
    "LinkChange": "links",
    "NeighbourChange": "neighbour entries",
    "ForwardingChange": "forwarding entries",
    "DocumentChange": "values in configuration files",
    "FileChange": "configuration files as text",
    "PassingChange": "states between two steps that the end does not show",
}
"""Kinds of change in words for people."""


def named(risk_id: str) -> AnyRisk:
    """The risk of that id; an unknown one is answered with its nearest neighbours."""
    return _entry(risk_id).risk


def explain(risk: AnyRisk | str) -> str:
    """Markdown: what the risk is, why it matters, when it bites, how to undo and how to check, and where it stands."""
    entry = _entry(risk if isinstance(risk, str) else risk.id)
    facts = [
        f"- Looks at: {', '.join(sorted(KINDS.get(kind.__name__, kind.__name__) for kind in entry.risk.on))}",
    ]
    if entry.risk.keys:
        facts.append("- Keys: " + ", ".join(f"`{key}`" for key in entry.risk.keys))
    facts.append(f"- In the catalogue since {entry.risk.since}")
    parts = [
        f"# {entry.risk.title}",
        f"`{entry.risk.id}`",
        entry.text.strip(),
        "## Verify on a node",
        f"```sh\n{entry.risk.verify}\n```",
        "## Facts",
        "\n".join(facts),
        "## Sources",
        "\n".join(f"- {source}" for source in entry.risk.sources),
    ]
    return "\n\n".join(parts) + "\n"


def explain_all() -> str:
    """The table of all risks, then each page."""
    rows = ["| risk | what it is |", "| --- | --- |"]
    rows += [f"| `{entry.risk.id}` | {entry.risk.title} |" for entry in entries()]
    pages = [explain(entry.risk) for entry in entries()]
    return "# The catalogue of risks\n\n" + "\n".join(rows) + "\n\n" + "\n".join(pages)


def _entry(risk_id: str) -> Entry:
    known = {entry.risk.id: entry for entry in entries()}
    if risk_id in known:
        return known[risk_id]
    near = get_close_matches(risk_id, known, n=3, cutoff=0.5)
    raise NetchangeError(
        reference="risk-unknown",
        message=f"there is no risk called `{risk_id}`",
        hint=("did you mean " + ", ".join(f"`{name}`" for name in near) + "?")
        if near
        else "`netchange risks` lists all",
    )
