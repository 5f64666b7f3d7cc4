"""Writes the generated files: JSON Schemas in schemas/, the reference in docs/reference/. A test keeps them current."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import typer.main
from pydantic import BaseModel

from planner.cli.main import app
from planner.models.assessment import Assessment
from planner.models.plan import Probe
from planner.models.snapshot import Snapshot
from planner.models.verification import Verification
from planner.report.answers_v1 import ComparisonV1, ReachV1, TraceV1
from planner.report.json_v1 import ReportV1
from planner.risks.catalogue import catalogue
from planner.risks.explain import explain
from planner.scoring.table import printed

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS: dict[str, type[BaseModel]] = {
    "snapshot-1": Snapshot, "assessment-1": Assessment, "report-1": ReportV1, "trace-1": TraceV1, "reach-1": ReachV1,
    "comparison-1": ComparisonV1, "verification-1": Verification, "probe-1": Probe,
}  # fmt: skip


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file with its text."""
    for name, model in SCHEMAS.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
        yield ROOT / "schemas" / f"{name}.schema.json", json.dumps(schema, indent=1, sort_keys=True) + "\n"
    yield ROOT / "docs/reference/risks.md", risks()
    yield ROOT / "docs/reference/cli.md", cli()
    yield (
        ROOT / "docs/reference/levels.md",
        "# Levels\n\nGenerated from `planner/scoring/table.py`.\n\n" + printed(),
    )


def risks() -> str:
    """One page with the whole catalogue."""
    pages = [f"- [`{risk.id}`](#{risk.id}): {risk.title}" for risk in catalogue()]
    bodies = [f'<a id="{risk.id}"></a>\n\n{demoted(explain(risk.id)).rstrip()}\n' for risk in catalogue()]
    head = "# Risks\n\nGenerated from `planner/risks/`; `netchange explain RISK` prints one page.\n"
    return "\n".join([head, *pages, "", *bodies])


def demoted(page: str) -> str:
    """Headings one level down, so that the page of a risk fits under the catalogue's."""
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in page.split("\n"))


def cli() -> str:
    """Every command's help."""
    root = typer.main.get_command(app)
    parts = ["# Command line\n\nGenerated from `--help`.\n"]

    def walk(command: typer.core.TyperCommand | typer.core.TyperGroup, path: list[str]) -> None:
        context = command.make_context(" ".join(path), [], resilient_parsing=True, max_content_width=100)
        parts.append(f"## {' '.join(path)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
        for name, inside in sorted(getattr(command, "commands", {}).items()):
            walk(inside, [*path, name])

    walk(root, ["netchange"])
    return "\n".join(parts)


def main() -> None:
    """Write what differs; with `--check` only tell."""
    stale = [path for path, text in generated() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(str(path.relative_to(ROOT)) for path in stale)}" if stale else 0)
    for path, text in generated():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
