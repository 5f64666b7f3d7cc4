"""Real changes from public repositories go through the whole program; the table of verdicts is printed."""

import pytest
import small_world as world
from real_pairs import PAIRS, Pair, pairs

from planner.assess import assess
from planner.errors import NetchangeError
from planner.models.assessment import Assessment
from planner.models.finding import Level

pytestmark = [
    pytest.mark.crater,
    pytest.mark.skipif(not PAIRS.is_dir(), reason="the real inputs are not present"),
]
UNREAD = frozenset({"nft", "manifest", "cni", "sysctl"})
"""Kinds of which some files are objects of a cluster or rule sets of nft: for them one clear sentence is an answer."""
HARMLESS_AND_MEDIUM = {
    "141-tum-dead-rule-removed/iptables.loadable.save": "what a list of -m recent never holds is not followed",
    "141-tum-dead-rule-removed": "what a list of -m recent never holds is not followed",
}
"""False alarms that are known, with the reason."""
EXPECTED = {
    "26-kicksecure-ip-forward-0": (Level.CRITICAL, Level.CRITICAL),
    "27-kicksecure-ip-forward-0-revert": (Level.NONE, Level.LOW),
    "36-grapheneos-container-forwarding-off": (Level.CRITICAL, Level.CRITICAL),
    "18-kicksecure-arp-ignore-2": (Level.HIGH, Level.HIGH),
    "17-kind-arp-ignore-0": (Level.NONE, Level.LOW),
    "16-kind-route-localnet-on": (Level.HIGH, Level.HIGH),
    "30-grapheneos-conntrack-established-timeout": (Level.MEDIUM, Level.MEDIUM),
    "134-kubeadm-weave-join-broken-bridge": (Level.HIGH, Level.CRITICAL),
    "82-docker-unmapped-ports-drop": (Level.MEDIUM, Level.HIGH),
    "92-docker-drop-all-direct": (Level.MEDIUM, Level.HIGH),
    "41-awscni-mtu": (Level.NONE, Level.LOW),
    "28-kicksecure-rp-filter-strict-on": (Level.NONE, Level.LOW),
}
"""Verdicts that a network engineer gave after reading the change: from, to."""


def judged(pair: Pair) -> Assessment | NetchangeError:
    try:
        return assess(world.snapshot(pair.node(), world.cluster()), pair.fragments())
    except NetchangeError as error:
        return error


@pytest.fixture(scope="module")
def verdicts() -> dict[str, tuple[Pair, Assessment | NetchangeError]]:
    """Every pair with what the program says; a crash of one ends the test."""
    return {pair.id: (pair, judged(pair)) for pair in pairs()}


def test_every_change_gets_an_answer(
    verdicts: dict[str, tuple[Pair, Assessment | NetchangeError]], capsys: pytest.CaptureFixture[str]
) -> None:
    """An assessment, or one sentence that names the file and says what to do; of kinds that are read, an assessment."""
    with capsys.disabled():
        print(f"\n{len(verdicts)} real changes: level, findings that are undecided, gaps, risks")
        for name, (_, answer) in verdicts.items():
            row = (
                world.told(answer)
                if isinstance(answer, Assessment)
                else f"refused  {answer.reference}: {answer}"
            )
            print(f"  {name:48} {row}"[:220])
    refused = [(pair, answer) for pair, answer in verdicts.values() if isinstance(answer, NetchangeError)]

    assert 40 <= len(verdicts) - len(refused)
    assert not [pair.id for pair, _ in refused if pair.kind not in UNREAD]
    # Files of nft that are templates are what nft itself would refuse.
    assert {"fragment-kind-unread", "nft-syntax"} == {answer.reference for _, answer in refused}
    assert all("template" in str(answer) for _, answer in refused if answer.reference == "nft-syntax")
    assert all(answer.hint and any(path in str(answer) for path in pair.after) for pair, answer in refused)


def test_a_second_run_says_the_same(verdicts: dict[str, tuple[Pair, Assessment | NetchangeError]]) -> None:
    """Equal input gives equal octets."""
    for pair, answer in verdicts.values():
        if isinstance(answer, Assessment) and len("".join(pair.after.values())) < 200_000:
            again = judged(pair)

            assert isinstance(again, Assessment)
            assert answer.model_dump_json() == again.model_dump_json(), pair.id


def test_changes_that_change_nothing_are_left_alone(
    verdicts: dict[str, tuple[Pair, Assessment | NetchangeError]],
) -> None:
    """Where the author says that packets are treated as before, nothing is above low."""
    harmless = {
        name: answer.level
        for name, (pair, answer) in verdicts.items()
        if pair.harmless and isinstance(answer, Assessment)
    }
    alarms = {name for name, level in harmless.items() if level > Level.LOW}

    assert 8 <= len(harmless)
    assert alarms <= HARMLESS_AND_MEDIUM.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_change_gets_the_verdict_of_an_engineer(
    name: str, verdicts: dict[str, tuple[Pair, Assessment | NetchangeError]]
) -> None:
    """On a routed node with one uplink."""
    _, answer = verdicts[name]
    low, high = EXPECTED[name]

    assert isinstance(answer, Assessment)
    assert low <= answer.level <= high


def test_what_is_found_names_a_line_that_exists(
    verdicts: dict[str, tuple[Pair, Assessment | NetchangeError]],
) -> None:
    """Of the proposal, where the finding is not about what happens at a reboot without a line of its own."""
    for pair, answer in verdicts.values():
        for scored in answer.findings if isinstance(answer, Assessment) else ():
            source = scored.finding.source or scored.finding.change.source
            if source is not None and source.name in pair.after:
                lines = pair.after[source.name].count("\n") + 1
                assert 0 <= source.line <= lines, (pair.id, scored.finding.message)
