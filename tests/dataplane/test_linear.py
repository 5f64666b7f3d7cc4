"""Long stretches of rules that only decide, joined two by two, against the same rules walked one after the other."""

import random
import re
from collections.abc import Sequence

import pytest
from small_node import LINKS, node

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.packets.witness import witness
from planner.dataplane.symbolic import chains, linear
from planner.dataplane.symbolic.compare import Analysis, compare
from planner.dataplane.symbolic.lockstep import Ends
from planner.dataplane.symbolic.reach import Reached
from planner.models.node import NodeState

TARGETS = ("ACCEPT", "ACCEPT", "DROP", "DROP", "REJECT --reject-with icmp-port-unreachable", "RETURN", "LOG")
WORDS = (
    "-s 10.9.0.0/16", "-s 10.244.1.2/32", "-d 10.9.0.0/24", "-d 10.9.0.7/32", "-d 192.0.2.0/24", "-d 192.0.2.64/26", "-i pod1", "-i pod+", "-o eth1",
    "-o eth0", "-p tcp -m tcp --dport 80", "-p tcp -m multiport --dports 80,443,8000:8080", "-p udp", "-p udp -m udp --dport 53",
    "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack --ctstate DNAT", "-m mark --mark 0x1/0x1", "-m addrtype --dst-type BROADCAST",
)  # fmt: skip
ODD = (
    "-m statistic --mode random --probability 0.50000000000",
    "-m limit --limit 5/min",
    "-m mark --mark 0x8/0x8",
)
NEVER = 10_000


def chain(drawn: random.Random, length: int) -> list[str]:
    """Rules of one chain; now and then one that is no part of a stretch."""
    found = []
    for _ in range(length):
        if drawn.random() < 0.04:
            found.append(f"{drawn.choice(ODD)} -j {drawn.choice(TARGETS)}")
            continue
        picked = [WORDS[at] for at in sorted(drawn.sample(range(len(WORDS)), drawn.randint(1, 3)))]
        words = {re.sub("^! ", "", word)[:2]: word for word in picked if not word.startswith("-m")}
        matches = {word.partition(" --")[0]: word for word in picked if word.startswith("-m")}
        found.append(" ".join([*words.values(), *matches.values(), "-j", drawn.choice(TARGETS)]))
    return found


def state(seed: int, *, policy: str = "ACCEPT") -> NodeState:
    """A node whose FORWARD is long, with a long chain called from its middle."""
    drawn = random.Random(seed)
    forward, called = chain(drawn, 30), chain(drawn, 25)
    lines = [
        "nat PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.9.0.7:8080",
        "mangle PREROUTING -i pod1 -p udp -j MARK --set-xmark 0x1/0x1",
        *(f"filter FORWARD {rule}" for rule in [*forward[:20], "-i pod1 -j OWN", *forward[20:]]),
        *(f"filter OWN {rule}" for rule in called),
    ]
    quiet = {f"net.ipv4.conf.{name}.bc_forwarding": "0" for name in ("all", *LINKS)}
    return node("\n".join(lines), policies={"filter FORWARD": policy}, sysctls=quiet)


def from_length(monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    """Stretches are joined from so many rules on."""
    for module in (linear, chains):
        monkeypatch.setattr(module, "LEAST", least)


def ends(monkeypatch: pytest.MonkeyPatch, least: int, analysis: Analysis, where: PacketSet) -> list[Ends]:
    """All ends, with stretches from so many rules on."""
    from_length(monkeypatch, least)
    return [analysis.ends(order, where & entry) for order, entry in analysis.entries()]


@pytest.mark.parametrize("seed", range(8))
def test_joined_rules_do_what_they_do_one_after_the_other(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """The same ends for the same packets."""
    analysis = Analysis(state(seed), state(seed, policy="DROP"))
    every = analysis.space.all
    one_by_one = ends(monkeypatch, NEVER, analysis, every)

    assert one_by_one == ends(monkeypatch, 2, analysis, every)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_asked_of_some_packets_is_what_is_said_of_all(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Restricted answers are parts of the unrestricted ones, whether the stretch was joined as a whole or not."""
    analysis = Analysis(state(seed), state(seed, policy="DROP"))
    space = analysis.space
    some = space.prefix(Part.DESTINATION, 192 << 24 | 2 << 8, 25) | space.equals(Part.DESTINATION_PORT, 53)
    few = ends(monkeypatch, 2, analysis, some)
    monkeypatch.setattr(linear, "MANY", 2)
    again = ends(monkeypatch, 2, analysis, space.all)

    for part, whole in zip(few, again, strict=True):
        assert part == {pair: held for pair, where in whole.items() if (held := where & some).satisfiable()}


@pytest.mark.parametrize("seed", range(4))
def test_every_rule_is_told_with_its_packets(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Where ends are told apart by the rule, they are so in a stretch too."""
    reached = Reached(state(seed))
    from_length(monkeypatch, NEVER)
    one_by_one = reached.ends(reached.space.all)
    from_length(monkeypatch, 2)

    assert one_by_one == reached.ends(reached.space.all)
    assert len({end.rule for end in one_by_one}) > 5


@pytest.mark.parametrize("seed", range(4))
def test_a_moved_rule_is_compared_alike(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Classes are the same, with their witnesses."""
    before = state(seed)
    drawn = random.Random(seed)
    ruleset = before.rulesets[0]
    table = ruleset.tables["filter"]
    forward = list(table.chains["FORWARD"])
    forward.insert(drawn.randrange(len(forward)), forward.pop(drawn.randrange(len(forward))))
    changed = table.model_copy(update={"chains": {**table.chains, "FORWARD": tuple(forward)}})
    tables = {**ruleset.tables, "filter": changed}
    after = before.model_copy(update={"rulesets": (ruleset.model_copy(update={"tables": tables}),)})
    from_length(monkeypatch, NEVER)
    one_by_one = compare(before, after)
    from_length(monkeypatch, 2)

    assert one_by_one == compare(before, after)


def greedy(space: Space, among: PacketSet, wishes: Sequence[PacketSet]) -> dict[Part, int]:
    """One wish after the other, on the whole set."""
    for wish in wishes:
        closer = among & wish
        among = closer if closer.satisfiable() else among
    return space.pick(among)


@pytest.mark.parametrize("seed", range(20))
def test_wishes_are_had_in_their_order(seed: int) -> None:
    """A witness fulfils the wishes that one gets by asking for one after the other."""
    drawn, space = random.Random(seed), Space()

    def sets(count: int) -> list[PacketSet]:
        parts = (Part.PROTOCOL, Part.DESTINATION_PORT, Part.STATE)
        return [
            space.prefix(drawn.choice(parts), drawn.getrandbits(16), drawn.randint(1, 3))
            & space.prefix(drawn.choice(parts), drawn.getrandbits(3), drawn.randint(0, 3))
            for _ in range(count)
        ]

    for _ in range(20):
        among, wishes = space.union(sets(4)), sets(drawn.randint(0, 9))
        if among.satisfiable():
            assert greedy(space, among, wishes) == witness(space, among, wishes)
