"""`netchange compare`: which packets a change treats differently."""

import json
from pathlib import Path

import pytest

from planner.cli.main import run

DEMO = str(Path(__file__).resolve().parents[2] / "docs/demo/node.json.gz")


def shown(capsys: pytest.CaptureFixture[str], tmp_path: Path, script: str, *options: str) -> tuple[int, str]:
    file = tmp_path / "change.sh"
    file.write_text(f"#!/bin/sh\n{script}\n")
    status = run(["compare", "--before", DEMO, str(file), *options])
    return status, capsys.readouterr().out


def test_a_drop_behind_a_service_is_seen_by_who_asks_the_service(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The rule names the endpoint's port; the packets that it takes away go to the Service's address too."""
    script = "iptables -I FORWARD 1 -s 10.244.1.5 -p tcp --dport 5432 -j DROP"
    status, text = shown(capsys, tmp_path, script, "--json", "--detailed-exitcode")
    found = json.loads(text)["comparison"]

    assert 2 == status
    assert [] == found["unknown"]
    assert {"10.244.1.5"} == {one["witness"]["source"] for one in found["classes"]}
    assert "10.96.50.5" in {one["witness"]["destination"] for one in found["classes"]}
    assert {"dropped by rule"} == {one["after"]["disposition"] for one in found["classes"]}


def test_a_class_names_the_rule_and_the_line_that_decide(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Which backend, table, chain and position, and where it is proposed; the whole way on request."""
    script = "# first\niptables-legacy -I FORWARD 1 -s 10.244.1.2 -j DROP"
    words = " ".join(shown(capsys, tmp_path, script)[1].split())
    assert "rule forward filter, FORWARD 1 (legacy): -A FORWARD -s 10.244.1.2/32 -j DROP" in words
    assert f"where {tmp_path / 'change.sh'}:3" in words
    assert "its way before" not in words

    words = " ".join(shown(capsys, tmp_path, script, "--full")[1].split())
    before, after = words.split("its way before")[1].split("its way after")[:2]
    assert "FLANNEL-FWD -s 10.244.0.0/16" in before
    assert "FORWARD 1 (legacy)" not in before
    assert "dropped FORWARD 1 (legacy)" in after


def test_a_rule_that_changes_nothing_is_proven_to(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An accept where everything is accepted: no packet differs, and that is said as a proof."""
    status, text = shown(capsys, tmp_path, "iptables -A INPUT -i lo -j ACCEPT", "--detailed-exitcode")

    assert 0 == status
    assert "equivalent: proven" in text


def test_what_is_not_understood_is_no_proof(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A loop in the script may do anything."""
    status, text = shown(capsys, tmp_path, "for x in a; do iptables -F; done", "--strict")

    assert 4 == status
    assert "not proven" in text
    assert "equivalent: proven" not in text


def test_a_match_with_memory_is_unknown_and_never_no_difference(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whether the limit lets a packet through hangs on the time: the class is told, with the rule."""
    script = "iptables -I FORWARD 1 -m limit --limit 5/sec -j DROP"
    _, text = shown(capsys, tmp_path, script)

    assert "equivalent" not in text
    assert "limit" in text
