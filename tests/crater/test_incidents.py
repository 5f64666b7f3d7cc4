"""Published incidents and harmless changes, where the shared file is present: catch rate, false alarms, each miss by name."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import small_world as world
import yaml
from incident import Entry, NotExpressibleError, convert

from planner.assess import assess
from planner.models.assessment import Assessment
from planner.models.finding import Level

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
FILE = DATA.parent / "facts" / "incidents.yaml"
INPUTS = frozenset({"sysctl_file", "iptables_restore", "route_batch", "cni_conflist"})
"""Where an entry can be seen that the present inputs can express."""
JUDGED, CATCH, FALSE_ALARMS, HARMLESS_AS_MEDIUM = 95, 1.0, 0.06, 0.0
"""What is really reached: entries and rates may rise (false alarms fall), never the other way."""

pytestmark = [
    pytest.mark.crater,
    pytest.mark.skipif(not FILE.is_file(), reason="the shared incidents are not present"),
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One entry, with what is expected and what the program says."""

    id: str
    harmful: bool
    expected: Level
    answer: Assessment

    @property
    def missed(self) -> bool:
        """Harmful, and told as more than one level too quiet."""
        return self.harmful and self.answer.level < self.expected - 1

    @property
    def alarm(self) -> bool:
        """Harmless, and told louder than it is."""
        return not self.harmful and self.answer.level > self.expected

    def told(self) -> str:
        """A row of the table."""
        mark = "MISS " if self.missed else "ALARM" if self.alarm else "     "
        return f"{mark} {self.id:52} expected {self.expected.words:8} got {world.told(self.answer)}"


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest) -> tuple[Verdict, ...]:
    """Every entry that can be built, judged. Skipped ones are counted by reason."""
    entries: list[Entry] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["incidents"]
    by_id = {str(entry["id"]): entry for entry in entries}
    found: list[Verdict] = []
    skipped: list[str] = []
    for name, entry in by_id.items():
        seen = entry["seen_in"]
        assert isinstance(seen, list)
        if not INPUTS & set(seen):
            continue
        try:
            case = convert(entry, by_id)
        except NotExpressibleError as error:
            skipped.append(f"{name}: {error}")
            continue
        if not case.fragments:
            skipped.append(f"{name}: no file to propose")
            continue
        answer = assess(world.snapshot(case.node, case.cluster), case.fragments)
        level = Level[str(entry["expected_verdict"]).upper()]
        found.append(Verdict(name, entry["kind"] == "harmful", level, answer))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{len(found)} of {len(by_id)} incidents are expressible; {len(skipped)} more are not:")
        print("\n".join(f"  {line}" for line in skipped))
        print("\n".join(f"  {verdict.told()}"[:200] for verdict in found))
    return tuple(found)


def test_harmful_changes_are_caught(
    verdicts: tuple[Verdict, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """At the expected level, or one below."""
    harmful = [verdict for verdict in verdicts if verdict.harmful]
    missed = [verdict for verdict in harmful if verdict.missed]
    exact = [verdict for verdict in harmful if verdict.answer.level >= verdict.expected]
    rate = 1 - len(missed) / len(harmful)
    with capsys.disabled():
        print(f"\ncatch rate {rate:.0%} of {len(harmful)}; at the expected level or above {len(exact)}")

    assert JUDGED <= len(verdicts)
    assert CATCH <= rate, [verdict.told() for verdict in missed]


def test_harmless_changes_are_left_alone(
    verdicts: tuple[Verdict, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """None above its expected level, but for a few that are told as low where nothing at all happens."""
    harmless = [verdict for verdict in verdicts if not verdict.harmful]
    alarms = [verdict for verdict in harmless if verdict.alarm]
    loud = [verdict for verdict in harmless if verdict.answer.level >= Level.MEDIUM]
    with capsys.disabled():
        print(f"\nfalse alarms {len(alarms)} of {len(harmless)}, of medium or above {len(loud)}")

    assert FALSE_ALARMS >= len(alarms) / len(harmless), [verdict.told() for verdict in alarms]
    assert HARMLESS_AS_MEDIUM >= len(loud) / len(harmless), [verdict.told() for verdict in loud]


def test_pairs_are_told_apart(verdicts: tuple[Verdict, ...]) -> None:
    """Of the same kind of change, the harmful ones are on the whole louder than the harmless ones."""
    harmful = [verdict.answer.level for verdict in verdicts if verdict.harmful]
    harmless = [verdict.answer.level for verdict in verdicts if not verdict.harmful]

    assert 2.0 <= sum(harmful) / len(harmful)
    assert 1.0 >= sum(harmless) / len(harmless)
