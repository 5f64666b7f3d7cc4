"""What packets meet from a base chain on, written out with what jumps lead to: equal programs treat every packet alike.

Rules that move into a chain of their own, a RETURN at the end of a chain, a chain that goes with its only jump: all are
other words for the same program. Only chains that differ are written out; the rest stand for themselves.
"""

from dataclasses import dataclass
from functools import lru_cache

from planner.diff.rule_text import jump, without_comment
from planner.models.ruleset import Table
from planner.netfilter.disjoint import is_stateful, same_fate
from planner.netfilter.effect import Accept, Continue, Drop, Goto, Jump, Reject, Return
from planner.risks.netfilter.reading import read

RULES = 2_000
"""Rules written out for one base chain; beyond them nothing is shown."""
QUESTIONS = 300
"""Pairs of rules of which the order is asked, for one base chain."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule; for a jump into a chain that differs, with what stands there instead of the chain's name."""

    text: str
    shape: str
    """The text that is compared."""
    body: "tuple[Step, ...] | None" = None


class TooLongError(Exception):
    """The limit is reached."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both tables, compared by identity: hashing one with many rules costs more than the answer saves."""

    before: Table
    after: Table

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pair) and other.before is self.before and other.after is self.after

    def __hash__(self) -> int:
        return hash((id(self.before), id(self.after)))


def concerned(before: Table, after: Table, family: str) -> frozenset[str]:
    """Chains that packets come to from a base chain which is not shown to treat every packet as before."""
    return _concerned(_Pair(before, after), family)


@lru_cache(maxsize=64)
def _concerned(pair: _Pair, family: str) -> frozenset[str]:
    before, after = pair.before, pair.after
    different = _different(before, after)
    found: set[str] = set()
    for base in {**before.policies, **after.policies}:
        if not _same_program(before, after, base, family, different):
            found |= _leads_to(before, base) | _leads_to(after, base)
    return frozenset(found)


def _leads_to(table: Table, base: str) -> set[str]:
    seen: set[str] = set()
    waiting = [base]
    while waiting:
        chain = waiting.pop()
        if chain not in seen:
            seen.add(chain)
            waiting += (jump(text)[1] for text in table.chains.get(chain, ()))
    return seen


def _same_program(before: Table, after: Table, base: str, family: str, different: frozenset[str]) -> bool:
    """Whether the base chain treats every packet the same in both tables; False when that cannot be shown."""
    if before.policies.get(base) != after.policies.get(base):
        return False
    if base not in different:
        return True
    try:
        budget = [2 * RULES]
        former = _base(before, base, family, different, budget)
        latter = _base(after, base, family, different, budget)
        return _alike(former, latter, family, before.name, [QUESTIONS])
    except TooLongError:
        return False


def _different(before: Table, after: Table) -> frozenset[str]:
    """Chains that differ, and chains that lead to one of them."""
    names = {*before.chains, *after.chains}
    found = {name for name in names if before.chains.get(name) != after.chains.get(name)}
    # Only rules of chains that stand on both sides unchanged are left to look at, and one side is enough.
    callers: dict[str, set[str]] = {}
    for name in names - found:
        for text in before.chains[name]:
            callers.setdefault(jump(text)[1], set()).add(name)
    waiting = list(found)
    while waiting:
        for caller in callers.get(waiting.pop(), set()) - found:
            found.add(caller)
            waiting.append(caller)
    return frozenset(found)


def _base(
    table: Table, chain: str, family: str, different: frozenset[str], budget: list[int]
) -> tuple[Step, ...]:
    steps = _steps(table, chain, family, different, budget, frozenset())
    if table.policies.get(chain) != "ACCEPT":
        return steps
    return _without_tail(steps, family, accepts=True)


def _steps(
    table: Table, chain: str, family: str, different: frozenset[str], budget: list[int], above: frozenset[str]
) -> tuple[Step, ...]:
    steps: list[Step] = []
    for original in table.chains.get(chain, ()):
        budget[0] -= 1
        if budget[0] < 0 or chain in above:
            raise TooLongError
        text = without_comment(original)
        reading = read(text, family)
        plain = not reading.problem and not is_stateful(reading.conditions)
        if plain and isinstance(reading.effect, Continue):
            continue
        if not isinstance(reading.effect, Jump | Goto) or reading.effect.chain not in different:
            steps.append(Step(text, text))
        else:
            target = reading.effect.chain
            body = _steps(table, target, family, different, budget, above | {chain})
            if isinstance(reading.effect, Jump) and plain:
                if not body:
                    continue
                if reading.always and not any(_comes_back(step, family) for step in body):
                    steps.extend(body)
                    continue
            steps.append(Step(text, f"{text.removesuffix(target)}*", body))
        if plain and reading.always and isinstance(reading.effect, Accept | Drop | Reject | Return):
            break  # nothing passes
    return _without_tail(tuple(steps), family, accepts=False)


def _comes_back(step: Step, family: str) -> bool:
    """Whether it leaves the chain it stands in for the calling one."""
    return isinstance(read(step.text, family).effect, Return | Goto)


def _without_tail(steps: tuple[Step, ...], family: str, *, accepts: bool) -> tuple[Step, ...]:
    """Without what stands at the end and does what the end does anyway."""
    kinds = (Return, Accept) if accepts else (Return,)
    end = len(steps)
    while end:
        reading = read(steps[end - 1].text, family)
        if not isinstance(reading.effect, kinds) or is_stateful(reading.conditions):
            break
        end -= 1
    return steps[:end]


def _alike(
    former: tuple[Step, ...], latter: tuple[Step, ...], family: str, table: str, budget: list[int]
) -> bool:
    """Whether one is the other in an order that no packet notices."""
    rest = list(former)
    for step in latter:
        place = next((n for n, other in enumerate(rest) if _same(other, step, family, table, budget)), None)
        if place is None:
            return False
        moved = rest.pop(place)
        for other in rest[:place]:
            budget[0] -= 1
            if budget[0] < 0 or not same_fate(other.text, moved.text, family, table=table):
                return False
    return not rest


def _same(one: Step, other: Step, family: str, table: str, budget: list[int]) -> bool:
    if one.shape != other.shape:
        return False
    if one.body is None or other.body is None:
        return one.body is other.body
    return _alike(one.body, other.body, family, table, budget)
