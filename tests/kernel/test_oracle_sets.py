"""What is said of all packets at once, against the kernel: random nodes before and after a change, fixed seeds."""

from dataclasses import dataclass

import pytest
from oracle.changes import Judged, judge_change
from oracle.compare import Tally, Verdict
from oracle.states import ANY, THEMES

SEEDS, BATCH, PROBES = 24, 8, 50
UNKNOWN_AT_MOST = 0.06


@dataclass(frozen=True, slots=True)
class Changes:
    """Some seeds, judged."""

    tally: Tally
    bad: tuple[Judged, ...]
    moved: int


@pytest.fixture(params=range(0, SEEDS, BATCH), scope="module")
def changes(request: pytest.FixtureRequest) -> Changes:
    """Every second node is of a theme."""
    whole, bad, moved = Tally(), [], 0
    for seed in range(request.param, request.param + BATCH):
        theme = THEMES[seed // 2 % len(THEMES)] if seed % 2 else ANY
        tally, faults, differently = judge_change(seed, theme, probes=PROBES)
        whole.merge(tally)
        bad += faults
        moved += differently
    print(whole, f"{moved} treated differently", sep="\n")
    return Changes(whole, tuple(bad), moved)


def test_the_sets_say_what_the_kernel_does(changes: Changes) -> None:
    """Before and after; what the kernel treats differently is in a class of the comparison, and what is in one is."""
    assert not changes.bad, f"{len(changes.bad)} faults; the first:\n{changes.bad[0].fault}"


def test_the_sets_know_nearly_always(changes: Changes) -> None:
    """What hangs on something that is not modelled is never wrong, and of no use."""
    assert changes.tally.verdicts[Verdict.UNKNOWN] <= UNKNOWN_AT_MOST * changes.tally.probes, str(
        changes.tally
    )


def test_changes_are_felt(changes: Changes) -> None:
    """Changes that no packet meets would say nothing about classes."""
    assert changes.moved > BATCH


def test_a_blind_comparison_is_found_out() -> None:
    """One that does not see the change is wrong about every packet that the kernel treats differently."""
    _, faults, moved = judge_change(0, probes=PROBES, blind=True)

    assert 0 < moved <= len(faults)
