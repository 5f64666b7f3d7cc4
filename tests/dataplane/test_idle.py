"""Rules that no packet meets any more because of a change: exactly those, and never one that some packet meets."""

import random

import pytest
from small_node import node
from test_linear import state
from test_symbolic import MAKERS

from planner.dataplane.symbolic import idle
from planner.dataplane.symbolic.compare import compare
from planner.dataplane.trace import trace
from planner.models.node import NodeState

BASE = """filter FORWARD -p tcp -m tcp --dport 80 -j ACCEPT
filter FORWARD -s 10.9.0.0/24 -j DROP
"""
CALLED = "filter FORWARD -p tcp -j OWN\nfilter OWN -s 10.0.0.0/9 -j DROP\n"
MARKED = """mangle FORWARD -m mark ! --mark 0x1 -j RETURN
mangle FORWARD -j MARK --set-xmark 0x2/0xffffffff
"""
Told = tuple[str, int | None, str, tuple[int, ...]]


def told(before: str, after: str) -> list[Told]:
    """Chain, position, reason, and the positions of those that take its packets."""
    found = compare(node(before), node(after)).dead
    return [(one.chain, one.position, one.why.value, tuple(by.position for by in one.by)) for one in found]


SAID = {
    "a new rule behind a wider one": (BASE, BASE + "filter FORWARD -s 10.9.0.7/32 -p udp -j ACCEPT", [("FORWARD", 3, "shadowed", (2,))]),
    "a rule twice": (BASE, BASE + "filter FORWARD -p tcp -m tcp --dport 80 -j ACCEPT", [("FORWARD", 3, "shadowed", (1,))]),
    "a rule that also asks what is not known": (
        BASE, BASE + "filter FORWARD -p tcp -m tcp --dport 80 -m limit --limit 3/sec -j ACCEPT", [("FORWARD", 3, "shadowed", (1,))],
    ),
    "a wider rule before old ones": (BASE, "filter FORWARD -p tcp -j DROP\n" + BASE, [("FORWARD", 2, "shadowed", (1,))]),
    "two rules that together take all": (
        BASE, "filter FORWARD -i pod1 -p tcp -j DROP\nfilter FORWARD ! -i pod1 -p tcp -j DROP\n" + BASE, [("FORWARD", 3, "shadowed", (1, 2))],
    ),
    "a jump into a chain that takes all": (
        BASE, "filter FORWARD -j OWN\nfilter OWN -p tcp -j DROP\n" + BASE, [("FORWARD", 2, "shadowed", (1,))],
    ),
    "a mark that nothing changes on the way": (
        "filter FORWARD -m mark --mark 0x1 -j ACCEPT",
        "filter FORWARD -m mark --mark 0x1 -j ACCEPT\nfilter FORWARD -p tcp -m mark --mark 0x1 -j DROP", [("FORWARD", 2, "shadowed", (1,))],
    ),
    "a rule for packets that the jump does not let in": (CALLED, CALLED + "filter OWN -p udp -j DROP", [("OWN", 2, "unreached", ())]),
    "a jump that asks for less than before": (
        CALLED, CALLED.replace("-p tcp", "-s 192.0.2.0/24"), [("OWN", 1, "unreached", ())],
    ),
    "a chain that is no longer called, with what only it calls": (
        CALLED + "filter OWN -j INNER\nfilter INNER -j DROP", "filter OWN -s 10.0.0.0/9 -j DROP\nfilter OWN -j INNER\nfilter INNER -j DROP",
        [("OWN", None, "uncalled", ()), ("INNER", None, "uncalled", ())],
    ),
    "a new chain that nothing calls": (BASE, BASE + "filter OWN -j DROP", [("OWN", None, "uncalled", ())]),
}  # fmt: skip
NOT_SAID = {
    "a new rule for other packets": (BASE, BASE + "filter FORWARD -s 10.9.1.7/32 -p udp -j ACCEPT"),
    "behind a rule that asks what is not known": (
        "filter FORWARD -m limit --limit 3/sec -j ACCEPT", "filter FORWARD -m limit --limit 3/sec -j ACCEPT\nfilter FORWARD -p tcp -j DROP",
    ),
    "the same rule, limited twice": (
        "filter FORWARD -m limit --limit 3/sec -j ACCEPT", "filter FORWARD -m limit --limit 3/sec -j ACCEPT\n" * 2,
    ),
    "behind rules for links, of which there may be more": (
        BASE, "".join(f"filter FORWARD -i {name} -p tcp -j DROP\n" for name in ("eth0", "eth1", "pod1", "pod2")) + BASE,
    ),
    "what was idle before": (BASE + BASE, "filter FORWARD -d 192.0.2.1/32 -j DROP\n" + BASE + BASE),
    "behind a jump that some come back from": (
        BASE, "filter FORWARD -j OWN\nfilter OWN -s 10.0.0.0/9 -j RETURN\nfilter OWN -p tcp -j DROP\n" + BASE,
    ),
    "behind a rule that only writes a log": (BASE, "filter FORWARD -j LOG\n" + BASE),
    "a mark that is set on the way": (
        MARKED, MARKED + "mangle FORWARD -m mark ! --mark 0x1 -j DROP",
    ),
    "a rule for a link that is not there": (BASE, BASE + "filter FORWARD -i eth7 -p udp -j ACCEPT"),
    "a chain that was never called": ("filter OWN -j DROP\n" + BASE, "filter OWN -p tcp -j DROP\nfilter OWN -j DROP\n" + BASE),
    "a removed rule": (BASE, BASE.splitlines()[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_an_idle_rule_is_told_with_what_takes_its_packets(name: str) -> None:
    """Its place, the reason, and the one rule that takes all, or all that take some."""
    before, after, wanted = SAID[name]

    assert wanted == told(before, after)


@pytest.mark.parametrize("name", NOT_SAID)
def test_what_may_act_or_never_did_is_not_told(name: str) -> None:
    """No wolf is cried."""
    before, after = NOT_SAID[name]

    assert [] == told(before, after)


def test_the_other_order_is_no_reason() -> None:
    """A rule that moves before the one that took its packets acts again; the other one is narrower, not idle."""
    assert [] == told(BASE, "\n".join(reversed(BASE.splitlines())))


def test_the_cost_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more rules would have to be looked at than may be, nothing is told of the rest."""
    monkeypatch.setattr(idle, "MOST", 3)
    many = BASE + "filter FORWARD -d 192.0.2.1/32 -j DROP\n" * 5

    assert len(told(BASE, many)) < 4


def with_forward(before: NodeState, rules: list[str]) -> NodeState:
    """The node with another FORWARD."""
    ruleset = before.rulesets[0]
    table = ruleset.tables["filter"]
    changed = table.model_copy(update={"chains": {**table.chains, "FORWARD": tuple(rules)}})
    tables = {**ruleset.tables, "filter": changed}
    return before.model_copy(update={"rulesets": (ruleset.model_copy(update={"tables": tables}),)})


def reordered(seed: int) -> tuple[NodeState, NodeState]:
    """A node with a long FORWARD, and with three of its rules at the head."""
    before = state(seed)
    drawn = random.Random(seed)
    forward = list(before.rulesets[0].tables["filter"].chains["FORWARD"])
    for _ in range(3):
        forward.insert(0, forward.pop(drawn.randrange(len(forward))))
    return before, with_forward(before, forward)


@pytest.mark.parametrize("seed", range(14))
def test_what_a_told_rule_does_moves_no_packet(seed: int) -> None:
    """Where a rule is told as idle, the same rule with another verdict treats all packets alike."""
    before, after = reordered(seed)
    forward = list(after.rulesets[0].tables["filter"].chains["FORWARD"])
    for one in compare(before, after).dead:
        if one.chain == "FORWARD" and one.position is not None:
            other = list(forward)
            condition = one.rule.rpartition("-j ")[0]
            for target in ("ACCEPT", "DROP"):
                other[one.position - 1] = f"{condition}-j {target}"
                assert () == compare(after, with_forward(after, other)).classes


def test_some_are_told() -> None:
    """Else the test above would say nothing."""
    assert sum(len(compare(*reordered(seed)).dead) for seed in range(14)) > 5


def test_no_packet_meets_a_told_rule() -> None:
    """Traces of random packets come by many rules, and never by one of these."""
    met: set[tuple[int, str, int | None]] = set()
    idle_ones: set[tuple[int, str, int | None]] = set()
    for seed in range(14):
        before, after = reordered(seed)
        drawn = random.Random(seed)
        flows = [MAKERS["ip"](drawn) for _ in range(100)]
        hops = [hop for flow in flows for one in trace(after, flow) for hop in one.hops if hop.rule]
        met |= {(seed, hop.chain, hop.position) for hop in hops}
        idle_ones |= {(seed, one.chain, one.position) for one in compare(before, after).dead}

    assert len(met) > 30
    assert not met & idle_ones
