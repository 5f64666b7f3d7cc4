"""Chains that differ between two states, walked together on each side: the same answers as one chain after the other."""

import random
import re

import pytest
from test_symbolic import apart
from test_together import MORE, PORTS, node, sure_and_possible

from planner.dataplane.symbolic.compare import Analysis
from planner.dataplane.symbolic.constants import Constants
from planner.dataplane.symbolic.dispatch import Dispatch
from planner.dataplane.symbolic.twins import Twins
from planner.models.node import NodeState

Chains = dict[str, tuple[str, ...]]


def moved(rng: random.Random, chains: Chains) -> Chains:
    """Some endpoints with another address or port; the rule that asks who is its own endpoint is changed with it or left."""
    found = dict(chains)
    for name in [name for name in chains if name.startswith("KUBE-SEP-") and rng.random() < 0.5]:
        own, led = chains[name]
        pod = rng.choice(MORE)
        port = rng.choice(PORTS)
        led = re.sub(r"--to-destination \S+", f"--to-destination {pod}:{port}", led)
        found[name] = (re.sub(r"-s \S+", f"-s {pod}/32", own) if rng.random() < 0.7 else own, led)
    return found


def replaced(rng: random.Random, chains: Chains) -> Chains:
    """Some endpoints have another chain, as kube-proxy names a chain for its endpoint."""
    found = moved(rng, chains)
    for name in [name for name in chains if name.startswith("KUBE-SEP-") and rng.random() < 0.5]:
        found[f"{name}-NEW"] = found.pop(name)
        for where, rules in found.items():
            found[where] = tuple(re.sub(rf"-j {name}$", f"-j {name}-NEW", text) for text in rules)
    return found


def fewer(rng: random.Random, chains: Chains) -> Chains:
    """Some Services lose an endpoint, and what is drawn for the others is drawn anew."""
    found = moved(rng, chains)
    for name in [name for name in chains if name.startswith("KUBE-SVC-") and rng.random() < 0.6]:
        rules = list(chains[name])
        if len(rules) > 1:
            del rules[rng.randrange(len(rules))]
            rules[-1] = re.sub(r"-m statistic .*?(?=-j)", "", rules[-1])
            found[name] = tuple(rules)
    return found


WAYS = {one.__name__: one for one in (moved, replaced, fewer)}


def changed(seed: int, way: str) -> tuple[NodeState, NodeState]:
    """A node, and what becomes of it."""
    before = node(seed)
    held = before.rulesets[0]
    nat = held.tables["nat"]
    chains = WAYS[way](random.Random(seed), dict(nat.chains))
    tables = {**held.tables, "nat": nat.model_copy(update={"chains": chains})}
    after = before.model_copy(update={"rulesets": (held.model_copy(update={"tables": tables}),)})
    return before, after


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("seed", range(8))
def test_many_changed_chains_differ_in_the_same_packets(seed: int, way: str) -> None:
    """What is different, for certain and for some draw, does not hang on whether changed chains were walked together."""
    analysis = Analysis(*changed(seed, way))
    analysis.dispatch = Dispatch(analysis.space, Constants(analysis.views), least=0, fewest=1)
    for order, entry in analysis.entries():
        alone = apart(analysis, order, analysis.ends(order, entry))
        together = apart(analysis, order, analysis.ends(order, entry, together=True))
        short = apart(analysis, order, analysis.ends(order, entry, together=True, whole=False))

        assert sure_and_possible(analysis, alone) == sure_and_possible(analysis, together)
        assert sure_and_possible(analysis, alone) == sure_and_possible(analysis, short)


@pytest.mark.parametrize("way", list(WAYS))
def test_changed_chains_are_walked_together(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somewhere in each sort of change there is a family of both sides with more than one chain."""
    sizes: list[int] = []
    blocks = Twins.of_chain

    def noted(self: Twins, name: str) -> object:
        found = blocks(self, name)
        sizes.extend(len(family.keys) for block, _ in found for family in block.families)
        return found

    monkeypatch.setattr(Twins, "of_chain", noted)
    for seed in range(10):
        analysis = Analysis(*changed(seed, way))
        analysis.dispatch = Dispatch(analysis.space, Constants(analysis.views), least=0, fewest=1)
        for order, entry in analysis.entries():
            analysis.ends(order, entry, together=True)

    assert max(sizes, default=0) > 1
