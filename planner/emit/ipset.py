"""`ipset restore` texts that turn one state of a set into another, atomically where the kernel can."""

import hashlib

from planner.models.ruleset import IpSet


def restore_input(have: IpSet | None, want: IpSet | None) -> str:
    """Text for `ipset -exist restore`; empty when nothing differs.

    A set that exists is replaced by filling a new one and swapping the two: packets see all of the old elements or all
    of the new ones. Rules and lists refer to a set by its number, which the swap keeps (ipset(8), swap). Sets of
    another type cannot be swapped; they are destroyed first, which the kernel refuses while a rule uses them.
    """
    if have == want:
        return ""
    if want is None:
        return f"destroy {have.name}\n" if have else ""
    if have is None:
        return _create(want, want.name) + _fill(want, want.name)
    if have.type != want.type:
        return f"destroy {have.name}\n" + _create(want, want.name) + _fill(want, want.name)
    spare = spare_name(want.name)
    return (
        _create(want, spare)
        + f"flush {spare}\n"
        + _fill(want, spare)
        + f"swap {spare} {want.name}\n"
        + f"destroy {spare}\n"
    )


def spare_name(name: str) -> str:
    """The name of the set that is swapped in: at most 31 octets (IPSET_MAXNAMELEN), the same on every run."""
    return "netchange-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def _create(ipset: IpSet, name: str) -> str:
    return f"create {name} {ipset.type} {ipset.options}".rstrip() + "\n"


def _fill(ipset: IpSet, name: str) -> str:
    return "".join(f"add {name} {element}\n" for element in ipset.elements)
