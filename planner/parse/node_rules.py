"""Packet filters of a node: iptables of both backends, nft, and whether the tools agree."""

import re
from typing import Any

from planner.models.ruleset import TABLES, Backend, Family, NativeRuleset, Ruleset
from planner.parse.agreement import disagreements
from planner.parse.iptables_save import parse_iptables_save
from planner.parse.native import native_json, native_text, read_items, table_names
from planner.parse.sections import ABSENT, NOT_FOUND, NOT_LOADED, Sections

FAMILIES: tuple[Family, ...] = ("ip", "ip6")
BACKENDS: tuple[Backend, ...] = ("nft", "legacy")
Items = tuple[dict[str, Any], ...]
"""Objects of `nft -j`."""
_VERSION = re.compile(r"v?[0-9]+\.[0-9]+[0-9A-Za-z.+~-]*")
_NUMBERS = re.compile(r"v?([0-9]+)\.([0-9]+)\.([0-9]+)")
EXACT_SINCE = (1, 8, 8)
"""iptables-nft up to 1.8.7 leaves out matches that a later one wrote (measured)."""
AFTER_THE_NAME = frozenset({"iptables", "iptables-nft", "iptables-legacy", "nft", "ipset"})


def tool_versions(found: Sections) -> dict[str, str]:
    """Version of each tool that is there."""
    versions: dict[str, str] = {}
    for tool, section in found.under("version/"):
        line = next(iter(section.text.splitlines()), "")
        if not section.usable or not line:
            continue
        number = _VERSION.search(line)
        if tool in AFTER_THE_NAME:
            versions[tool] = line.partition(" ")[2].split(",")[0].strip()
        elif number:
            versions[tool] = number.group(0)
    return versions


def read_rules(found: Sections) -> tuple[tuple[Ruleset, ...], NativeRuleset, str]:
    """Rule sets, native tables, and the backend that plain `iptables` means."""
    versions = tool_versions(found)
    default = _default(versions.get("iptables", ""))
    items = _items(found)
    rulesets: list[Ruleset] = []
    managed: set[tuple[str, str]] = set()
    for backend in BACKENDS:
        for family in FAMILIES:
            ruleset = _ruleset(found, backend, family, default, items, versions)
            if ruleset is None:
                continue
            rulesets.append(ruleset)
            if backend == "nft":
                managed |= _checked(found, ruleset, items, versions)
    return tuple(rulesets), _native(found, items, managed, versions), default


def _default(version: str) -> str:
    """What plain iptables is. Before 1.8 there was one backend and the version does not name it."""
    if "nf_tables" in version:
        return "nft"
    return "legacy" if version else ""


def _items(found: Sections) -> Items | None:
    """Objects of `nft -j list ruleset`: none when nf_tables is not loaded, None when not known."""
    if found.skipped("nft/json", NOT_LOADED):
        return ()
    text = found.text("nft/json", "nft")
    if text is None:
        return None
    try:
        return read_items(text)
    except ValueError as error:
        found.gap("nft", f"`nft -j list ruleset` could not be read: {error}")
        return None


def _ruleset(
    found: Sections,
    backend: Backend,
    family: Family,
    default: str,
    items: Items | None,
    versions: dict[str, str],
) -> Ruleset | None:
    name, path = f"iptables-{backend}/{family}", f"iptables/{backend}/{family}"
    if found.skipped(name, NOT_FOUND) or found.get(name) is None:
        if default == backend and found.usable(f"iptables/{family}"):
            name = f"iptables/{family}"
        elif _surely_empty(found, backend, family, items):
            return Ruleset(family=family, backend=backend)
        else:
            found.gap(path, _why_unknown(found, name, family, default, backend))
            return None
    if found.skipped(name, NOT_LOADED):
        return Ruleset(family=family, backend=backend)
    text = found.text(name, path)
    if text is None:
        return None
    tool = versions.get(f"iptables-{backend}", versions.get("iptables", ""))
    ruleset, gaps = parse_iptables_save(
        text, family=family, backend=backend, tool=f"iptables-{backend}-save {tool}".strip(), name=name
    )
    found.gaps.extend(gaps)
    return ruleset


def _why_unknown(found: Sections, name: str, family: str, default: str, backend: str) -> str:
    listing = found.get(f"iptables-listing/{family}")
    if listing is not None and default in {backend, ""}:
        return f"the report holds `{listing.argv}`, which leaves out parts of rules, and no {name.partition('/')[0]}-save"
    return found.reason(name)


def _surely_empty(found: Sections, backend: str, family: str, items: Items | None) -> bool:
    """Without the tool: legacy tables are named under /proc, nft ones by `nft`."""
    if backend == "legacy":
        names = f"legacy-tables/{family}"
        return found.skipped(names, ABSENT) or (
            found.usable(names) and not (found.quiet(names) or "").split()
        )
    return items is not None and not any((family, table) in table_names(items) for table in TABLES)


def _checked(
    found: Sections, ruleset: Ruleset, items: Items | None, versions: dict[str, str]
) -> set[tuple[str, str]]:
    """The tables whose text nft confirms; a gap for what it does not."""
    if items is None:
        numbers = _NUMBERS.search(versions.get("iptables-nft", versions.get("iptables", "")))
        old = numbers is not None and tuple(map(int, numbers.groups())) < EXACT_SINCE
        if ruleset.size and old:
            found.gap(
                f"iptables/nft/{ruleset.family}",
                "printed by an iptables-nft before 1.8.8, which leaves out matches of rules that a later one wrote, "
                "and there is no `nft -j list ruleset` to check it with",
            )
        return set()
    if found.skipped("nft/json", NOT_LOADED):
        return set()
    gaps = disagreements(ruleset, items)
    found.gaps.extend(gaps)
    doubted = {gap.section.split("/")[3] for gap in gaps}
    return {(ruleset.family, table) for table in ruleset.tables if table not in doubted}


def _native(
    found: Sections, items: Items | None, managed: set[tuple[str, str]], versions: dict[str, str]
) -> NativeRuleset:
    if found.skipped("nft/json", NOT_LOADED):
        return NativeRuleset()
    text = found.text("nft/text", "nft/text")
    return NativeRuleset(
        json_text=native_json(items, managed) if items is not None else "",
        text=native_text(text or "", managed),
        tool=f"nft {versions['nft']}" if "nft" in versions else "",
    )
