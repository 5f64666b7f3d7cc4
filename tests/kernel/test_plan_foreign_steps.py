"""Several steps in one chain or set, and somebody else at work in it: a rollback by hand that stops has changed nothing."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from namespace import Namespace
from plan_node import Planned, command, recipe
from test_plan_foreign import SHELL, filled, letters, restored, write_chain
from test_plan_foreign_random import LETTERS, OURS, THEIRS, edited, without


def changed_in_steps(node: Namespace, directory: Path, backend: str, states: Sequence[str]) -> Planned:
    """FORWARD with the first of these rules, led through the others by an applied plan, a step for each."""
    operations = tuple(
        command(
            f"iptables-{backend}-restore",
            "--noflush",
            stdin=f"*filter\n-F FORWARD\n{filled('FORWARD', state)}\nCOMMIT\n",
        )
        for state in states[1:]
    )
    made = recipe(restored(backend, filled("FORWARD", states[0])), operations, ())
    plan = Planned.on(node, made, directory, SHELL[backend])
    applied = plan.apply()
    assert 0 == applied.returncode, applied.stderr
    return plan


CLASHES = {
    "a rule of the first step stands there twice": (("ab", "abS", "abST"), "abSST"),
    "a rule of the second step is gone, which took another's place": (("abc", "aSc", "aTc", "aTcU"), "acUx"),
    "others have written where the first step took one away": (("abc", "ac", "acS"), "axcS"),
}


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("case", CLASHES)
def test_what_an_older_step_has_set_is_looked_at_before_anything_is_taken_back(
    node: Namespace, tmp_path: Path, backend: str, case: str
) -> None:
    """The newest step's part is as it should be, and one of an older step is not: that is found out first."""
    states, found = CLASHES[case]
    plan = changed_in_steps(node, tmp_path, backend, states)
    write_chain(node, backend, found)

    back = plan.rollback()

    assert 3 == back.returncode, back.stderr
    assert "nothing was changed" in back.stderr
    assert found == letters(node, backend)


@pytest.mark.parametrize("seed", range(16))
def test_a_rollback_of_several_steps_stops_before_it_begins_or_leads_back(
    node: Namespace, tmp_path: Path, seed: int
) -> None:
    """Random steps, random doings of others: where it does not stop, ours is gone and theirs keep their order."""
    pick = random.Random(seed)
    backend = ("nft", "legacy")[seed % 2]
    states = ["".join(pick.sample(LETTERS, pick.randint(3, len(LETTERS))))]
    for new in pick.sample(OURS, pick.randint(2, 4)):
        states.append(edited(pick, states[-1], new, most=1, deletes=len(states[-1]) > 3))
    found = edited(pick, states[-1], THEIRS, most=2, deletes=False)
    kind = pick.choice(["beside", "beside", "twice", "gone"])
    own = [rule for rule in found if rule in OURS]
    if own and kind == "twice":
        found = found.replace(own[0], own[0] * 2)
    if own and kind == "gone":
        found = found.replace(own[0], "")
    plan = changed_in_steps(node, tmp_path, backend, states)
    write_chain(node, backend, found)

    back = plan.rollback()

    case = (kind, states, found, back.stderr)
    end = letters(node, backend)
    if back.returncode == 3:
        assert found == end, case
        assert "nothing was changed" in back.stderr, case
        return
    assert 0 == back.returncode, case
    assert states[0] == without(end, THEIRS), (case, end)
    assert [rule for rule in found if rule in THEIRS] == [rule for rule in end if rule in THEIRS], (case, end)


def test_an_element_of_an_older_step_is_looked_at_too(node: Namespace, tmp_path: Path) -> None:
    """It has another comment now; the newer step's own is as it was left. Told to, it goes all the same."""
    setup = "ipset create web hash:ip comment\nipset add web 10.0.0.1\n"
    operations = tuple(
        command("ipset", "add", "web", f"10.0.0.{n}", "comment", f"step {n}") for n in (2, 3, 4)
    )
    plan = Planned.on(node, recipe(setup, operations, ()), tmp_path, ("dash",))
    assert 0 == plan.apply().returncode
    node.sh('ipset -exist add web 10.0.0.2 comment "theirs"; ipset add web 10.0.0.9')
    before = node.sh("ipset save web | sort")

    refused = plan.rollback()
    there = node.sh("ipset save web | sort")
    forced = plan.rollback("--force")

    assert (3, before) == (refused.returncode, there), refused.stderr
    assert 0 == forced.returncode, forced.stderr
    assert ["10.0.0.1", "10.0.0.9"] == node.sh("ipset save web | sed -n 's/^add web //p' | sort").split()


def test_values_between_two_steps_are_no_reason_to_stop(node: Namespace, tmp_path: Path) -> None:
    """Two steps set the same route, and somebody else has added one of another metric: each step tells its own."""
    setup = "ip link add eth0 type veth peer name peer0; ip addr add 10.0.0.5/24 dev eth0\nip link set eth0 up; ip link set peer0 up\n"
    operations = (
        command("ip", "route", "add", "10.50.0.0/16", "via", "10.0.0.7"),
        command("ip", "route", "replace", "10.50.0.0/16", "via", "10.0.0.8"),
        command("ip", "address", "add", "10.0.0.21/24", "dev", "eth0"),
        command("ip", "address", "add", "10.0.0.22/24", "dev", "eth0"),
    )
    plan = Planned.on(node, recipe(setup, operations, ()), tmp_path, ("dash",))
    assert 0 == plan.apply().returncode
    node.sh("ip route add 10.50.0.0/16 via 10.0.0.9 metric 70; ip address add 10.0.0.99/24 dev eth0")

    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    assert ["10.50.0.0/16 via 10.0.0.9 dev eth0 metric 70"] == [
        line.strip() for line in node.sh("ip route show 10.50.0.0/16").splitlines()
    ]
    assert "10.0.0.2" not in node.sh("ip -4 -o address show dev eth0")
