"""The parts of a report about packets and paths."""

from pathlib import Path

from strategies import DEMO, PULL_REQUEST

from planner.assess import assess
from planner.cli.inputs import fragments, load_state
from planner.models.assessment import Assessment
from planner.report import json_v1, markdown, terminal
from planner.report.packets import PROVEN


def assessed(tmp_path: Path, script: str) -> Assessment:
    file = tmp_path / "change.sh"
    file.write_text(f"#!/bin/sh\n{script}\n")
    return assess(load_state(DEMO), fragments([file]))


def test_a_change_that_no_packet_notices_is_said_to_be_proven_equal(tmp_path: Path) -> None:
    """An accept where everything is accepted: in every form."""
    found = assessed(tmp_path, "iptables -A INPUT -i lo -j ACCEPT")

    assert PROVEN in terminal.render(found)
    assert PROVEN in markdown.render(found)
    assert json_v1.report(found).equivalent is True
    assert () == json_v1.report(found).packets


def test_what_is_not_known_is_no_proof(tmp_path: Path) -> None:
    """A limit decides by the time: nothing is said to be equal, and the rule is named."""
    found = assessed(tmp_path, "iptables -I FORWARD 1 -m limit --limit 5/sec -j DROP")

    assert json_v1.report(found).equivalent is False
    assert PROVEN not in terminal.render(found)
    assert "limit" in "".join(" ".join(one.because) for one in json_v1.report(found).packets)


def test_the_lost_packets_and_the_broken_paths_are_shown_with_a_witness() -> None:
    """The shipped pull request: pods lose the outside; the class, the path and why."""
    found = assess(load_state(DEMO), fragments([PULL_REQUEST]))
    text = terminal.render(found, width=240)
    published = json_v1.report(found)

    lost = [one for one in published.packets if one.traffic == "pod-to-external" and one.kind == "blocked"]
    assert lost
    assert "not forwarded" in lost[0].after
    assert [one for one in published.paths if one.invariant == "pods-reach-outside" and one.kind == "broken"]
    assert lost[0].packets in text
    assert lost[0].witness in terminal.render(found, width=240, full=True)
    assert "Broken by the change" in text


def test_a_part_of_the_proposal_that_is_not_understood_takes_the_proof_away(tmp_path: Path) -> None:
    """A loop may do anything: nothing is called equivalent, though nothing that was understood changes a packet."""
    found = assessed(tmp_path, "iptables -A INPUT -i lo -j ACCEPT\nfor x in a; do iptables -F; done")

    assert json_v1.report(found).equivalent is False
    assert PROVEN not in terminal.render(found)
