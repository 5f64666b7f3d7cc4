"""What programs read: every answer says what it is, and is what its schema promises."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from planner.cli.main import run
from planner.report.answers_v1 import ComparisonV1, ReachV1, TraceV1

ROOT = Path(__file__).parents[2]
DEMO = str(ROOT / "docs/demo/node.json.gz")
PULL_REQUEST = str(ROOT / "docs/demo/pull-request")
ASKED: dict[str, tuple[type[BaseModel], tuple[str, ...]]] = {
    "trace": (TraceV1, (DEMO, "10.244.1.2:40000 -> 10.96.0.10:53 udp in cni0")),
    "reach": (ReachV1, (DEMO, "--from", "10.244.1.2", "--to", "10.96.0.10:53/udp", "--state", "new")),
    "comparison": (ComparisonV1, ("--before", DEMO, PULL_REQUEST)),
}


@pytest.mark.parametrize("name", sorted(ASKED))
def test_an_answer_reads_back_as_what_its_schema_describes(
    name: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Nothing is printed that the schema does not have, and nothing that it requires is missing."""
    form, words = ASKED[name]
    command = "compare" if name == "comparison" else name
    assert 0 == run([command, *words, "--json"])
    text = capsysbinary.readouterr().out
    body = json.loads(text)
    schema = json.loads((ROOT / f"schemas/{name}-1.schema.json").read_text())

    assert body == form.model_validate_json(text).model_dump(mode="json")
    assert (f"netchange.{name}", "1", "worker-1") == (body["format"], body["version"], body["node"])
    assert {*schema["required"]} <= {*body} <= {*schema["properties"]}
