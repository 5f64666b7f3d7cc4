"""Random changes of nft tables, random doings of others: the way back leads to what theirs would have made of the state before."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from namespace import Namespace
from native_random import changed, printed
from native_tables import BASE, NETDEV, THEIRS
from test_native_foreign import changed as applied
from test_native_foreign import letters, log, table, written
from test_native_plan import Played
from test_native_transactions import load, unlike
from test_plan_foreign_random import LETTERS, OURS, edited, without
from test_plan_foreign_random import THEIRS as OTHERS

from planner.emit.nft import table_text
from planner.parse.nft_tables import nft_tables

LINKS = "ip link add eth0 type veth peer name peer0; ip link add eth1 type veth peer name peer1"
SHELLS = (("dash",), ("busybox", "sh"))
EACH = 6


@pytest.mark.parametrize("seed", range(20))
def test_others_keep_their_order_and_ours_is_gone(node: Namespace, tmp_path: Path, seed: int) -> None:
    """After a rollback by hand the chain without their rules is the one before, and theirs stand in their order. Where it
    stops, nothing was changed; unattended it then leads to the same."""
    pick = random.Random(seed)
    before = "".join(pick.sample(LETTERS, pick.randint(3, len(LETTERS))))
    after = edited(pick, before, OURS, most=3, deletes=True)
    found = edited(pick, after, OTHERS, most=3, deletes=False)
    played = applied(node, tmp_path, table(before), table(after), SHELLS[seed % 2])
    written(node, found)

    status, words = played.run("rollback.sh")

    case = (before, after, found)
    if status == 3:
        assert found == letters(node), case
        assert "it can only be guessed" in words, (case, words)
        assert 0 == played.run("rollback.sh", "--unattended")[0], (case, log(played))
    else:
        assert 0 == status, (case, words)
    end = letters(node)
    assert before == without(end, OTHERS), (case, end)
    assert without(found, after) == without(end, before), (case, end)


@pytest.fixture(scope="module")
def printer() -> Iterator[Namespace]:
    with Namespace() as namespace:
        namespace.sh(LINKS)
        yield namespace


@pytest.mark.parametrize("first", range(0, 24, EACH))
def test_what_others_do_comes_to_the_same(printer: Namespace, tmp_path: Path, first: int) -> None:
    """After the rollback all is as if nobody but they had done anything; where it stops, nothing was changed, and it says why."""
    back = 0
    for seed in range(first, first + EACH):
        back += _one(printer, tmp_path / str(seed), seed)
    assert back > 0


def _one(printer: Namespace, directory: Path, seed: int) -> bool:
    pick = random.Random(f"native foreign {seed}")
    base = printed(printer, BASE + NETDEV)
    assert base is not None
    tables = changed(pick, dict(nft_tables(base.text)))
    wanted = printed(printer, "".join(table_text(tables[title]) for title in sorted(tables)))
    if wanted is None or wanted.text == base.text:
        return False
    sides = [base.text, wanted.text]
    pick.shuffle(sides)
    doings = pick.sample(sorted(THEIRS), pick.randint(1, 5))
    directory.mkdir()
    with Namespace() as node:
        node.sh(LINKS)
        # What they cannot do before and after the change is left out.
        for side in sides:
            load(printer, side)
            doings = [
                one for one in doings if not printer.run(["sh", "-ec", THEIRS[one]], check=False).returncode
            ]
        load(printer, sides[0])
        for one in doings:
            printer.sh(THEIRS[one])
        expected = printer.sh("nft list ruleset")
        played = Played.on(node, directory, sides[0], sides[1], SHELLS[seed % 2])
        assert 0 == (done := played.run("apply.sh"))[0], (seed, done[1])
        for one in doings:
            node.sh(THEIRS[one])
        there = played.tables

        status, words = played.run("rollback.sh")

        if status == 3:
            assert [] == unlike(there, played.tables), (seed, doings, words)
            return False
        assert 0 == status, (seed, doings, words)
        assert [] == unlike(expected, played.tables), (seed, doings, words)
        assert "nothing to take back" in played.run("rollback.sh")[1]
    return bool(doings)
