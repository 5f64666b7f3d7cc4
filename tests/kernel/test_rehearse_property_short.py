"""The same of many proposals of one or two commands: most mistakes need no more."""

from collections.abc import Iterator

import pytest
from rehearsal_random import Player, script, troubles

EACH = 20
MOST = 2


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    player = Player()
    yield player
    player.close()


@pytest.mark.parametrize("first", range(1_000_000, 1_000_160, EACH))
def test_short_proposals_leave_nothing_behind(player: Player, first: int) -> None:
    """Prediction, kernel and original are equal, to the letter, after every step and every way back."""
    for seed in range(first, first + EACH):
        turns = player.play(script(seed, MOST))

        assert [] == list(troubles(turns)), f"seed {seed}: {script(seed, MOST)}"
    assert () == player.last_look()
