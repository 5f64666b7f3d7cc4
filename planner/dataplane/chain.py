"""The rules of one base chain, in order: jumps, returns, and what each does to the packet."""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from planner.dataplane import gaps, nat
from planner.dataplane.alter import alter
from planner.dataplane.hooks import Station
from planner.dataplane.match import all_hold
from planner.dataplane.nft_rules import NativeRule, meaning
from planner.dataplane.rules import RuleTable
from planner.dataplane.walk import End, Walk
from planner.models.flow import Disposition, Hop
from planner.netfilter.condition import Chance, Condition
from planner.netfilter.effect import (
    Accept,
    Alter,
    Continue,
    Dnat,
    Drop,
    Effect,
    Goto,
    Jump,
    Log,
    Masquerade,
    Netmap,
    OpaqueTarget,
    Queue,
    Redirect,
    Reject,
    Return,
    Snat,
)

DEEPEST = 64


class Pass(Enum):
    """How a table lets a packet go."""

    ACCEPT = "accept"
    FALL = "fall"
    """Came to the end of a user chain, or returned."""


Passed = Pass | End


@dataclass(frozen=True, slots=True)
class Place:
    """A rule, and where it stands."""

    table: RuleTable
    chain: str
    position: int
    text: str
    station: Station
    next_hop: str
    number: int = 0
    """Of several that one rule of nft is made of."""

    @property
    def line(self) -> str:
        """As iptables-save prints it; rules of nft with their table and chain."""
        if isinstance(self.text, NativeRule):
            return f"{self.table.name} {self.chain}: {self.text}"
        return f"-A {self.chain} {self.text}"


def run_table(walk: Walk, table: RuleTable, station: Station, next_hop: str, base: str = "") -> End | None:
    """The packet through one base chain (that of the hook's name, where none is given); None when it goes on."""
    base = base or station.hook.value
    walk.met.clear()
    passed = _run_chain(walk, table, base, station, next_hop, 0)
    if isinstance(passed, End):
        return passed
    if passed is Pass.FALL:
        policy = table.policies.get(base, "ACCEPT")
        if policy == "DROP":
            walk.hops.append(
                Hop(stage=walk.stage, what="dropped by the chain's policy", chain=base, backend=table.backend)
            )
            return End(Disposition.DROPPED, f"policy DROP of {table.name} {base}")
    return None


def _run_chain(
    walk: Walk, table: RuleTable, name: str, station: Station, next_hop: str, depth: int
) -> Passed:
    # A part of the chain may be missing: a rule that iptables cannot print, but nft counts (parse/agreement.py).
    reason = walk.view.missing(gaps.rules(table.backend, table.family, table.name, name))
    if reason and isinstance(doubt := _doubt(walk, reason, (table.backend, table.name, name)), End):
        return doubt
    chain = table.chain(name)
    if chain is None:
        if depth == 0:
            return Pass.FALL
        return _doubt(
            walk, f"chain {name} of {table.name} is not in the snapshot", (table.backend, table.name, name)
        )
    if depth > DEEPEST:
        return _doubt(walk, f"chain {name} of {table.name} is {DEEPEST} jumps deep", (table.name, name))
    for position, text in chain.candidates(walk.packet.destination, walk.packet.destination_port):
        rule = _ready(text, table.family)
        place = Place(
            table,
            name,
            text.place if isinstance(text, NativeRule) else position,
            text,
            station,
            next_hop,
            position,
        )
        if not _met(walk, rule, place):
            continue
        passed = _act(walk, rule.effect, place, depth)
        if passed is not None:
            return passed
    return Pass.FALL


@dataclass(frozen=True, slots=True)
class Ready:
    """A rule as the walk asks it: what can be decided first, draws last."""

    certain: tuple[Condition, ...]
    chances: tuple[Chance, ...]
    effect: Effect
    changes_nothing: bool
    """The packet goes on as it came: where it is not known whether the rule applies, that is not worth a question."""


@lru_cache(maxsize=65536)
def _ready(text: str, family: str) -> Ready:
    lowered = meaning(text, family)
    chances = tuple(part for part in lowered.conditions if isinstance(part, Chance))
    certain = tuple(part for part in lowered.conditions if not isinstance(part, Chance))
    return Ready(certain, chances, lowered.effect, isinstance(lowered.effect, Continue | Log | Alter))


def _met(walk: Walk, rule: Ready, place: Place) -> bool:
    """Whether the rule applies; a draw or an open question where that is not plain."""
    answer = all_hold(rule.certain, walk.packet, walk.view)
    if answer is False or (answer is None and rule.changes_nothing):
        return False
    if answer and not rule.chances:
        return True
    if rule.changes_nothing:
        return False
    key = (
        place.table.backend,
        place.table.name,
        place.chain,
        str(place.position),
        str(place.number),
        walk.stage,
    )
    walk.met[key] += 1
    nth = walk.met[key]
    if answer is None and not walk.choices.undecided((key, nth), place.line):
        return False
    return all(_hits(walk, chance, place, (key, nth, at)) for at, chance in enumerate(rule.chances))


def _hits(walk: Walk, chance: Chance, place: Place, key: tuple[object, ...]) -> bool:
    if chance.counted and 0 < chance.numerator < chance.denominator:
        return walk.choices.undecided(key, place.line)
    text = f"{place.chain} rule {place.position}"
    return walk.choices.draw(key, text, chance.numerator / chance.denominator)


def _doubt(walk: Walk, reason: str, key: tuple[object, ...]) -> Passed:
    """It may do anything: goes on, or ends in the unknown."""
    if walk.choices.undecided((*key, reason), reason):
        return Pass.FALL
    return End(Disposition.UNKNOWN, reason)


def _note(walk: Walk, place: Place, what: str) -> None:
    walk.hops.append(
        Hop(
            stage=walk.stage,
            what=what,
            rule=place.line,
            chain=place.chain,
            position=place.position,
            backend=place.table.backend,
        )
    )


def _act(walk: Walk, effect: Effect, place: Place, depth: int) -> Passed | None:
    """What the rule does; None when the next rule of the chain is asked."""
    match effect:
        case Accept():
            _note(walk, place, "accepted")
            return Pass.ACCEPT
        case Drop():
            _note(walk, place, "dropped")
            return End(Disposition.DROPPED, place.line)
        case Reject(kind=kind):
            _note(walk, place, f"rejected with {kind}")
            return End(Disposition.REJECTED, place.line, kind)
        case Return():
            _note(walk, place, "returns")
            return Pass.FALL
        case Jump(chain=target) | Goto(chain=target):
            goto = isinstance(effect, Goto)
            _note(walk, place, f"{'goes' if goto else 'jumps'} to {target}")
            passed = _run_chain(walk, place.table, target, place.station, place.next_hop, depth + 1)
            # A chain that was gone to returns to the caller of this one (ip_tables.c, ipt_do_table).
            return passed if goto or passed is not Pass.FALL else None
        case Queue():
            _note(walk, place, "handed to a program")
            doubt = _doubt(walk, place.line, (place.chain, place.position))
            return doubt if isinstance(doubt, End) else Pass.ACCEPT
        case OpaqueTarget():
            _note(walk, place, "is not modelled")
            doubt = _doubt(walk, place.line, (place.chain, place.position))
            return doubt if isinstance(doubt, End) else None
        case Dnat() | Snat() | Masquerade() | Redirect() | Netmap():
            return _translate(walk, effect, place)
        case _:
            changed = alter(walk, effect)
            _note(walk, place, changed)
            return None


def _translate(walk: Walk, effect: nat.Translation, place: Place) -> Passed:
    told = nat.translate(walk, effect, place.station.hook, place.next_hop)
    if not told:
        _note(walk, place, "dropped: the link has no address to translate to")
        return End(Disposition.DROPPED, place.line)
    _note(walk, place, told)
    return Pass.ACCEPT
