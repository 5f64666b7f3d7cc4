"""The catalogue of risks: every module of this package that declares `RISK`."""

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module

import planner.risks
from planner.models.assessment import CatalogueEntry
from planner.models.change import Change, SysctlChange
from planner.models.finding import Finding
from planner.risks.risk import AnyRisk, Review, Risk, fold


@dataclass(frozen=True, slots=True)
class Entry:
    """A risk and the text of the module that declares it."""

    risk: AnyRisk
    module: str
    """Dotted name of the module."""
    text: str
    """Its docstring: first sentence, then the headings that the reader of `explain` gets."""

    @property
    def summary(self) -> str:
        """The first sentence."""
        return " ".join(self.text.strip().split("\n\n", 1)[0].split())


@cache
def entries() -> tuple[Entry, ...]:
    """Every declared risk with its text, by id. A second one of the same id is a bug and stops the program."""
    found: dict[str, Entry] = {}
    for info in sorted(
        pkgutil.walk_packages(planner.risks.__path__, planner.risks.__name__ + "."),
        key=lambda info: info.name,
    ):
        module = import_module(info.name)
        risk = getattr(module, "RISK", None)
        if not isinstance(risk, Risk):
            continue
        if risk.id in found:
            raise RuntimeError(f"two risks are called {risk.id}: {found[risk.id].module} and {info.name}")
        found[risk.id] = Entry(risk=risk, module=info.name, text=module.__doc__ or "")
    return tuple(found[key] for key in sorted(found))


@cache
def catalogue() -> tuple[AnyRisk, ...]:
    """All risks, sorted by id."""
    return tuple(entry.risk for entry in entries())


def find(changes: Sequence[Change], review_for: Callable[[Change], Review]) -> tuple[Finding, ...]:
    """What the catalogue says about these changes; findings that say the same of one node are one finding."""
    return fold(_find(changes, review_for))


def described(ids: Sequence[str]) -> dict[str, CatalogueEntry]:
    """The named risks as the reports need them."""
    wanted = frozenset(ids)
    return {
        entry.risk.id: CatalogueEntry(
            id=entry.risk.id,
            title=entry.risk.title,
            summary=entry.summary,
            verify=entry.risk.verify,
            sources=entry.risk.sources,
        )
        for entry in entries()
        if entry.risk.id in wanted
    }


def _find(changes: Sequence[Change], review_for: Callable[[Change], Review]) -> Iterator[Finding]:
    said: list[Finding] = []
    for change in changes:
        risks = _concerned(change)
        if risks:
            review = review_for(change)
            said += [finding for risk in risks for finding in risk.judge(change, review)]
    for turn in (1, 2):
        before = tuple(said)
        for change in changes:
            risks = _last(type(change), turn)
            if risks:
                review = replace(review_for(change), said=before)
                said += [finding for risk in risks for finding in risk.judge(change, review)]
    yield from said


def _concerned(change: Change) -> tuple[AnyRisk, ...]:
    """The risks whose kinds and keys the change meets."""
    if isinstance(change, SysctlChange):
        return _by_key(change.key)
    return _by_kind(type(change))


@cache
def _by_kind(kind: type[Change]) -> tuple[AnyRisk, ...]:
    return tuple(risk for risk in catalogue() if kind in risk.on and not risk.last)


@cache
def _last(kind: type[Change], turn: int) -> tuple[AnyRisk, ...]:
    return tuple(risk for risk in catalogue() if kind in risk.on and risk.last == turn)


@cache
def _by_key(key: str) -> tuple[AnyRisk, ...]:
    # A dot inside an interface name is printed as a slash by `sysctl -a` (sysctl(8)), so `*` stands for one whole name.
    return tuple(
        risk
        for risk in _by_kind(SysctlChange)
        if not risk.keys or any(fnmatchcase(key, pattern) for pattern in risk.keys)
    )
