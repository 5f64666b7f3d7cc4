"""Every invariant: every module of this package that declares `INVARIANT`."""

import pkgutil
from functools import cache
from importlib import import_module

import planner.invariants
from planner.invariants.invariant import Invariant


@cache
def invariants() -> tuple[Invariant, ...]:
    """Sorted by id. A second one of the same id is a bug and stops the program."""
    found: dict[str, Invariant] = {}
    for info in sorted(pkgutil.iter_modules(planner.invariants.__path__), key=lambda info: info.name):
        invariant = getattr(import_module(f"{planner.invariants.__name__}.{info.name}"), "INVARIANT", None)
        if not isinstance(invariant, Invariant):
            continue
        if invariant.id in found:
            raise RuntimeError(f"two invariants are called {invariant.id}")
        found[invariant.id] = invariant
    return tuple(found[key] for key in sorted(found))


@cache
def invariant_of(name: str) -> Invariant | None:
    """The invariant of that id."""
    return next((one for one in invariants() if one.id == name), None)


def text_of(invariant: Invariant) -> str:
    """The docstring of its module."""
    return import_module(f"{planner.invariants.__name__}.{invariant.id.replace('-', '_')}").__doc__ or ""
