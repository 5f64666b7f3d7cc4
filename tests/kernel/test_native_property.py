"""Whatever becomes of native nft tables: the step is as predicted, and the way back leaves nothing behind."""

from collections.abc import Iterator

import pytest
from namespace import Namespace
from native_random import rich, wanted
from rehearsal_node import recorded
from rehearsal_random import Player, troubles

from planner.proposal.transition import propose_state

EACH = 12
LINKS = "ip link add eth0 type veth peer name peer0; ip link add eth1 type veth peer name peer1"


@pytest.fixture(scope="module")
def printer() -> Iterator[Namespace]:
    with Namespace() as namespace:
        namespace.sh(LINKS)
        yield namespace


@pytest.fixture(scope="module")
def player(printer: Namespace) -> Iterator[Player]:
    player = Player(rich(recorded(), printer))
    yield player
    player.close()


@pytest.mark.parametrize("first", range(0, 36, EACH))
def test_random_native_changes_leave_nothing_behind(player: Player, printer: Namespace, first: int) -> None:
    """Prediction, kernel and original are equal after the step and after the way back."""
    played = 0
    for seed in range(first, first + EACH):
        state = wanted(seed, player.node, printer)
        if state is None:
            continue
        outlook = propose_state(player.node, state, name="after.json")
        assert not [gap for gap in outlook.gaps if gap.section == "proposal"]
        turns = player.played(outlook)
        played += len(turns)

        assert [] == list(troubles(turns)), f"seed {seed}"
    assert played > EACH // 3
    assert () == player.last_look()
