"""Whatever is done, in whatever order: every step is as predicted, and from after each the way leads back."""

from collections.abc import Iterator

import pytest
from rehearsal_random import Player, script, troubles

EACH = 6
"""Proposals of one test: they share a stage, on which the next finds what the way back of the former has left."""


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    player = Player()
    yield player
    player.close()


@pytest.mark.parametrize("first", range(0, 48, EACH))
def test_random_proposals_leave_nothing_behind(player: Player, first: int) -> None:
    """Prediction, kernel and original are equal, to the letter, after every step and every way back."""
    for seed in range(first, first + EACH):
        turns = player.play(script(seed))

        assert [] == list(troubles(turns)), f"seed {seed}: {script(seed)}"
    assert () == player.last_look()
