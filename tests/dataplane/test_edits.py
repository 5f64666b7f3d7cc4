"""Which rules of a chain count as changed."""

import random

import pytest

from planner.dataplane.symbolic.edits import edited, key_of

WEB = '-d 10.96.0.1/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-A'
DNS = "-d 10.96.0.2/32 -p udp -m udp --dport 53 -j KUBE-SVC-B"


def test_a_moved_rule_is_one_rule() -> None:
    """Packets that do not meet the moved rule see all others in the same order."""
    before = tuple(f"-s 10.0.0.{at}/32 -j DROP" for at in range(50))
    after = (*before[:10], *before[11:40], before[10], *before[40:])

    assert ([10], [39]) == edited(before, after)


def test_the_order_of_rules_that_exclude_each_other_is_no_change() -> None:
    """kube-proxy writes its dispatch chains in a random order."""
    assert ([], []) == edited((WEB, DNS, "-j LAST"), (DNS, WEB, "-j LAST"))
    assert ([0], [1]) == edited((WEB, "-j LAST"), ("-j LAST", WEB))


def test_rules_for_one_key_keep_their_order() -> None:
    """The first of two rules for the same packets decides."""
    drop = DNS.replace("-j KUBE-SVC-B", "-j DROP")

    assert edited((DNS, drop), (drop, DNS)) != ([], [])


@pytest.mark.parametrize("seed", range(40))
def test_what_is_left_is_the_same_on_both_sides(seed: int) -> None:
    """Without the rules that count as changed both versions are alike, up to rules that exclude each other."""
    rng = random.Random(seed)
    words = [*(f"-s 10.0.0.{at}/32 -j DROP" for at in range(6)), WEB, DNS, DNS.replace("53", "54")]
    before = [rng.choice(words) for _ in range(rng.randrange(12))]
    after = list(before)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(after) + 1)
        after[at:at] = [rng.choice(words)]
        after.pop(rng.randrange(len(after)))
    gone, come = edited(before, after)
    old = [text for at, text in enumerate(before) if at not in gone]
    new = [text for at, text in enumerate(after) if at not in come]

    assert sorted(old) == sorted(new)
    assert [text for text in old if key_of(text) is None] == [text for text in new if key_of(text) is None]
    for key in {key_of(text) for text in old} - {None}:
        assert [text for text in old if key_of(text) in {None, key}] == [
            text for text in new if key_of(text) in {None, key}
        ]
