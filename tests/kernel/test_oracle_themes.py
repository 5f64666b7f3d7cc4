"""The model against the kernel on random nodes that are each about one thing: marks, several next hops, known connections …"""

from random import Random

import pytest
from oracle.flows import random_flows
from oracle.run import Batch, judge_batch
from oracle.states import THEMES, Theme, random_state

SEEDS, PROBES = 15, 70
SHOWN = {
    "IPv6": "ip6, links",
    "both backends": "legacy: -t",
    "sets": "--match-set",
    "marks": "-m connmark",
    "chance": "-m statistic",
    "known connections": "--ctstate",
    "own programs": "-m owner",
    "bridged pods": "--physdev",
    "links that do not forward": "/forwarding=0",
    "several next hops": "nexthop via",
    "policy rules": "ip rule add pref",
}
"""What the nodes of a theme show, most of them."""


@pytest.fixture(params=THEMES, ids=lambda theme: theme.name, scope="module")
def theme(request: pytest.FixtureRequest) -> Theme:
    return request.param


@pytest.fixture(scope="module")
def batch(theme: Theme) -> Batch:
    """The nodes of one theme, judged."""
    return judge_batch(range(SEEDS), theme, probes=PROBES)


def test_the_model_says_what_the_kernel_does(batch: Batch) -> None:
    """As on nodes about anything."""
    assert not batch.told, batch.told
    assert SEEDS * PROBES <= batch.tally.probes


def test_the_model_knows_nearly_always(batch: Batch) -> None:
    """As on nodes about anything."""
    assert not batch.vague, batch.vague


def test_a_theme_is_about_its_thing(theme: Theme) -> None:
    """A generator that lost it would agree about something else."""
    states = [random_state(seed, theme) for seed in range(SEEDS)]
    about = [state for state in states if SHOWN[theme.name] in str(state)]
    assert 2 * len(about) > SEEDS
    if theme.name == "both backends":
        assert SEEDS == len([state for state in states if len(state.backends) == 2])
    if theme.name == "own programs":
        flows = [flow for state in states for flow in random_flows(state, Random(state.seed), PROBES)]
        assert len(flows) < 2 * len([flow for flow in flows if not flow.entry.link])


def test_connections_go_on(theme: Theme, batch: Batch) -> None:
    """First packets are answered, and answers are answered."""
    more = batch.tally.probes - SEEDS * PROBES
    assert more > (60 if theme.name == "known connections" else 5)
