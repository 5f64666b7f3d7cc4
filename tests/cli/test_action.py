"""action.yml: its script, run as a runner would run it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from program import DEMO, PULL_REQUEST
from strategies import ROOT

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEP = next(step for step in ACTION["runs"]["steps"] if step["id"] == "plan")
pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


def ran(tmp_path: Path, **given: str) -> tuple[int, dict[str, str], str]:
    """Exit code, outputs and summary."""
    values = {name: str(field.get("default", "")) for name, field in ACTION["inputs"].items()} | given
    program = tmp_path / "netchange"
    program.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from planner.cli.main import main; main()' \"$@\"\n"
    )
    program.chmod(0o755)
    env = {name: values[name.lower()] for name in STEP["env"] if name != "NETCHANGE"}
    outputs, summary = tmp_path / "outputs", tmp_path / "summary"
    outputs.touch()
    summary.touch()
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", STEP["run"]],
        env={
            **os.environ, **env, "NETCHANGE": str(program), "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary), "PYTHONPATH": str(ROOT),
        },
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )  # fmt: skip
    pairs = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    return done.returncode, pairs, summary.read_text()


def test_the_gate_fails_the_step_and_the_report_is_there_all_the_same(tmp_path: Path) -> None:
    """The shipped pull request is far above the gate; who reads the summary learns why."""
    code, outputs, summary = ran(tmp_path, before=str(DEMO), files=str(PULL_REQUEST), title="a; touch owned")

    assert 3 == code
    assert "critical" == outputs["level"]
    assert summary == (tmp_path / outputs["report"]).read_text()
    assert (
        json.loads((tmp_path / "netchange-review/assessment.json").read_text())["title"] == "a; touch owned"
    )
    assert not (tmp_path / "owned").exists()


def test_without_a_gate_the_step_passes(tmp_path: Path) -> None:
    """The level is an output for later steps."""
    code, outputs, _ = ran(tmp_path, before=str(DEMO), files=f"{PULL_REQUEST}\n", gate="")

    assert (0, "critical") == (code, outputs["level"])


def test_a_missing_snapshot_fails_and_nothing_is_claimed(tmp_path: Path) -> None:
    """No level and no report."""
    code, outputs, summary = ran(tmp_path, before="gone.json", files=str(PULL_REQUEST))

    assert (1, {}, "") == (code, outputs, summary)


def test_every_input_reaches_the_script_as_a_variable() -> None:
    """No input is pasted into the script's text, where it could be a command."""
    assert "${{" not in STEP["run"]
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} <= set(STEP["env"].values())
