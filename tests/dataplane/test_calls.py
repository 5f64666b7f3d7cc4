"""Who calls which chain and what is translated to what: the quick readers say what reading every rule says."""

import random
from ipaddress import ip_address

import pytest

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import Space
from planner.dataplane.symbolic.calls import TAME_EFFECTS, Calls, Jumps, Site
from planner.models.ruleset import Table
from planner.netfilter.differing import differing
from planner.netfilter.effect import Dnat, Goto, Jump
from planner.netfilter.lower import lower_text
from planner.netfilter.mention import mentions
from planner.proposal.iptables.edit import called_by
from planner.risks.netfilter.structure import jumps, leads_to

NAMES = ("A", "B", "LONG-NAME", "DNAT-HERE", "PREROUTING")
RULES = (
    "-j A",
    "-g B",
    "-s 10.0.0.1/32 -j LONG-NAME",
    '-m comment --comment "-j A" -j B',
    '-m comment --comment "to -j A"',
    '-m comment --comment "a \\" -j A" -g LONG-NAME',
    "-m comment --comment -j -g A",
    "-m comment --comment -j -j B",
    '-p tcp -m comment --comment "x -j " -m tcp -j DNAT --to-destination 10.0.0.7:80',
    "-p tcp -j DNAT --to-destination 10.0.0.7:80",
    "-p tcp -j DNAT --to-destination 10.0.9.7:8080 --random",
    "-j DNAT --to-destination 10.0.0.8",
    "-j DNAT --to-destination 10.0.0.8-10.0.0.12",
    "-p tcp -j REDIRECT --to-ports 8080",
    "-j MARK --set-xmark 0x4000/0x4000",
    '-j LOG --log-prefix "x -j A"',
    '-j LOG --log-prefix "x -j "',
    "-d 10.0.0.0/8 -p udp",
    "-j ACCEPT",
    "-j DNAT-HERE",
)


def table(rng: random.Random) -> Table:
    """A few chains that call each other, or seem to."""
    chains = {name: tuple(rng.choices(RULES, k=rng.randrange(7))) for name in NAMES}
    return Table(name="nat", policies={"PREROUTING": "ACCEPT"}, chains=chains)


def called(text: str) -> str:
    """Read whole."""
    match lower_text(text, "ip").effect:
        case Jump(chain=chain) | Goto(chain=chain):
            return chain
        case _:
            return ""


def single(text: str) -> bool:
    """Whether it translates to one address."""
    effect = lower_text(text, "ip").effect
    return isinstance(effect, Dnat) and "-10." not in text


def targets(read: Jumps, begins: str = "") -> dict[tuple[int, str], list[Site]]:
    """What is translated to what, for addresses whose text begins so."""
    return {
        (address, port): sites
        for port in sorted(read.ports)
        for address in sorted(read.led(port, begins))
        if (sites := read.leading(port, begins, address))
    }


def expect(read: Jumps, held: Table) -> None:
    """What it should say."""
    sites = [((chain, at), text) for chain, rules in held.chains.items() for at, text in enumerate(rules)]
    for name in (*NAMES, "NOBODY"):
        calling = sorted(site for site, text in sites if called(text) == name)
        assert calling == sorted(read.callers.get(name))
        assert calling == sorted(read.callers.within(name, len(calling)) or ())
        assert not calling or read.callers.within(name, len(calling) - 1) is None
    found = {site: key for key, of in targets(read).items() for site in of}
    for site, text in sites:
        tame = isinstance(lower_text(text, "ip").effect, TAME_EFFECTS)
        assert (not tame) == (site in read.wild or site in found), text
        if site in found:
            assert single(text)
            address, port = found[site]
            shown = f"{ip_address(address)}" + (f":{port}" if port else "")
            assert shown in text.split()
    near = {key: of for key, of in targets(read).items() if key[0] >> 8 == 10 << 16}
    assert near == targets(read, "10.0.0.")


@pytest.mark.parametrize("seed", range(40))
def test_a_table_is_read_by_its_last_words(seed: int) -> None:
    """Quoted text is no jump; a translation in an unusual form may do anything."""
    held = table(random.Random(seed))

    expect(Jumps(held, "ip"), held)


@pytest.mark.parametrize("seed", range(40))
def test_a_table_like_another_is_read_by_what_differs(seed: int) -> None:
    """Neither what went nor what came is missed."""
    rng = random.Random(seed)
    former = table(rng)
    changed = {
        name: rules if rng.random() < 0.6 else table(rng).chains[name]
        for name, rules in former.chains.items()
    }
    held = former.model_copy(update={"chains": changed})
    calls = Calls("ip")
    calls.of(former)

    expect(calls.of(held), held)


@pytest.mark.parametrize("seed", range(20))
def test_quick_readers_of_jumps_agree(seed: int) -> None:
    """Those of the checks for circles and of the risks."""
    held = table(random.Random(seed))
    for chain, rules in held.chains.items():
        known = {target for text in rules if (target := called(text)) in held.chains}

        assert known == called_by(held, chain)
        assert known == {name for name in jumps(held, chain, "ip") if name in held.chains}
        for target in held.chains.keys() - {chain}:
            seen, todo = set[str](), [chain]
            while todo:
                for text in held.chains[todo.pop()]:
                    if (name := called(text)) in held.chains and name not in seen:
                        seen.add(name)
                        todo.append(name)
            assert (target in seen) == leads_to(held, chain, target, "ip")


def test_chains_that_differ() -> None:
    """By content, in the order of the first and then of the second; asked again, the same."""
    one = {"A": ("-j B",), "B": (), "C": ("-j ACCEPT",)}
    other = {"D": (), "B": (), "A": ("-j C",), "C": ("-j ACCEPT",)}

    assert ("A", "D") == differing(one, other) == differing(one, other)
    assert ("D", "A") == differing(other, one)
    assert () == differing(one, one)
    assert () == differing(one, dict(one))


def test_the_prefix_that_all_packets_have() -> None:
    """As long as it can be."""
    space = Space.of("ip")
    near = space.prefix(Part.DESTINATION, 0x0A000700, 24) | space.prefix(Part.DESTINATION, 0x0A000600, 24)

    assert (0x0A000600, 23) == space.common(near, Part.DESTINATION)
    assert (0x0A000601, 32) == space.common(space.equals(Part.DESTINATION, 0x0A000601), Part.DESTINATION)
    assert (0, 0) == space.common(space.all, Part.DESTINATION)
    assert (0, 0) == space.common(space.equals(Part.SOURCE, 7), Part.DESTINATION)


def test_a_word_in_some_rule() -> None:
    """Rules are not joined to words that none of them holds."""
    chains = {"A": ("-m rpfilter", "-j B"), "B": ("-j ACCEPT",)}

    assert mentions(chains, "-m set", "-m rpfilter")
    assert not mentions(chains, "rpfilter -j", "-m set")
    assert not mentions({}, "-j")
