"""Random chains, random changes, random foreign rules: the way back is the one of a merge, or it stops and touches nothing."""

import random
from pathlib import Path

import pytest
from namespace import Namespace
from test_plan_foreign import changed_chain, letters, write_chain

LETTERS = "abcdefgh"
OURS = "STUV"
THEIRS = "wxyz"


def edited(pick: random.Random, rules: str, new: str, *, most: int, deletes: bool) -> str:
    """Some of the new rules put in, and some of the old taken out or moved."""
    found = list(rules)
    for rule in pick.sample(new, pick.randint(1, most)):
        found.insert(pick.randint(0, len(found)), rule)
    if deletes:
        for rule in pick.sample(rules, pick.randint(0, 3)):
            found.remove(rule)
        if pick.random() < 0.3 and len(found) > 2:
            found.insert(pick.randrange(len(found)), found.pop(pick.randrange(len(found))))
    return "".join(found)


def without(rules: str, others: str) -> str:
    return "".join(rule for rule in rules if rule not in others)


@pytest.mark.parametrize("seed", range(24))
def test_others_keep_their_order_and_ours_is_gone(node: Namespace, tmp_path: Path, seed: int) -> None:
    """After a rollback by hand the chain without their rules is the one before, and theirs stand in their order. Where it
    stops, nothing was changed; unattended it then leads to the same."""
    pick = random.Random(seed)
    backend = ("nft", "legacy")[seed % 2]
    before = "".join(pick.sample(LETTERS, pick.randint(3, len(LETTERS))))
    after = edited(pick, before, OURS, most=3, deletes=True)
    found = edited(pick, after, THEIRS, most=3, deletes=False)
    plan = changed_chain(node, tmp_path, backend, before, after)
    write_chain(node, backend, found)

    back = plan.rollback()

    case = (before, after, found)
    if back.returncode == 3:
        assert found == letters(node, backend), case
        assert "it can only be guessed" in back.stderr, (case, back.stderr)
        assert 0 == plan.rollback("--unattended").returncode, (case, (plan.state / "log").read_text())
    else:
        assert 0 == back.returncode, (case, back.stderr)
    end = letters(node, backend)
    assert before == without(end, THEIRS), (case, end)
    assert without(found, after) == without(end, before), (case, end)
