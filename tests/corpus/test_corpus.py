"""Our own retelling of published incidents and harmless changes: how many are caught, how many are false alarms."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "scenarios"))

from page import Scenario, run

from planner.models.assessment import Assessment
from planner.models.finding import Level

FILE = Path(__file__).with_name("changes.yaml")
CAUGHT, FALSE_ALARMS, EXACT, CLASSES, ONSETS = 1.0, 0.0, 0.9, 0.95, 1.0
"""What is really reached: rates may rise (false alarms fall), never the other way."""


@dataclass(frozen=True)
class Case:
    """One change with the verdict that is expected."""

    id: str
    level: Level
    breaks: frozenset[str]
    onset: str
    reversibility: str
    scenario: Scenario


def cases() -> list[Case]:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    found = []
    for entry in document["cases"]:
        files = {**document["states"][entry["state"]], **entry.get("before", {})}
        before = {path: text for path, text in files.items() if text}
        found.append(
            Case(
                id=entry["id"],
                level=Level[entry["level"].upper()],
                breaks=frozenset(entry.get("breaks", ())),
                onset=entry.get("onset", ""),
                reversibility=entry.get("reversibility", ""),
                scenario=Scenario(FILE, entry["id"], before, entry["proposal"]),
            )
        )
    return found


CASES = cases()


@pytest.fixture(scope="module")
def assessed() -> dict[str, Assessment]:
    return {case.id: run(case.scenario) for case in CASES}


def rate(part: list[Case], whole: list[Case]) -> float:
    return len(part) / len(whole) if whole else 1.0


def told(case: Case, assessment: Assessment) -> str:
    risks = sorted({scored.finding.risk for scored in assessment.findings}) or ["nothing"]
    return f"{case.id}: expected {case.level.words}, got {assessment.level.words} ({', '.join(risks)})"


def test_harmful_changes_are_caught(
    assessed: dict[str, Assessment], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is expected to be medium or worse is told as medium or worse; each miss has a name."""
    harmful = [case for case in CASES if case.level >= Level.MEDIUM]
    missed = [case for case in harmful if assessed[case.id].level < Level.MEDIUM]
    with capsys.disabled():
        print(f"\ncatch rate: {1 - rate(missed, harmful):.0%} of {len(harmful)} harmful changes")
        for case in missed:
            print("  missed", told(case, assessed[case.id]))

    assert CAUGHT <= 1 - rate(missed, harmful)


def test_harmless_changes_are_left_alone(
    assessed: dict[str, Assessment], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is expected to be none or low is not told as medium or worse."""
    harmless = [case for case in CASES if case.level < Level.MEDIUM]
    alarms = [case for case in harmless if assessed[case.id].level >= Level.MEDIUM]
    with capsys.disabled():
        print(f"\nfalse alarms: {rate(alarms, harmless):.0%} of {len(harmless)} harmless changes")
        for case in alarms:
            print("  alarm ", told(case, assessed[case.id]))

    assert FALSE_ALARMS >= rate(alarms, harmless)


def test_the_level_is_the_expected_one(
    assessed: dict[str, Assessment], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly, taking none and low as one: both say that nobody has to act."""

    def plain(level: Level) -> Level:
        return max(level, Level.LOW)

    differing = [case for case in CASES if plain(assessed[case.id].level) != plain(case.level)]
    with capsys.disabled():
        print(f"\nexact level: {1 - rate(differing, CASES):.0%} of {len(CASES)} changes")
        for case in differing:
            print("  differs", told(case, assessed[case.id]))

    assert EXACT <= 1 - rate(differing, CASES)


def test_the_lost_classes_are_named(
    assessed: dict[str, Assessment], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every class that is expected stands in some finding."""
    with_classes = [case for case in CASES if case.breaks]
    lacking = []
    for case in with_classes:
        named = {kind for scored in assessed[case.id].findings for kind in scored.finding.breaks}
        if not case.breaks <= named:
            lacking.append((case, case.breaks - named))
    with capsys.disabled():
        print(f"\nclasses named: {1 - len(lacking) / len(with_classes):.0%} of {len(with_classes)} changes")
        for case, absent in lacking:
            print(f"  {case.id} does not name {', '.join(sorted(absent))}")

    assert CLASSES <= 1 - len(lacking) / len(with_classes)


def test_the_loudest_finding_bites_when_expected(assessed: dict[str, Assessment]) -> None:
    """Onset and reversibility of the loudest finding, where the retelling gives them."""
    wrong = []
    for case in CASES:
        loudest = next(iter(assessed[case.id].findings), None)
        if case.onset and (loudest is None or loudest.finding.onset.name != case.onset):
            wrong.append((case.id, case.onset, loudest and loudest.finding.onset.name))
        if case.reversibility and (
            loudest is None or loudest.finding.reversibility.value != case.reversibility
        ):
            wrong.append((case.id, case.reversibility, loudest and loudest.finding.reversibility.value))

    assert not wrong
