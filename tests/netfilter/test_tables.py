"""One table for each extension, each line a promise."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tables import Row, rows

from planner.netfilter.condition import opaque_parts
from planner.netfilter.effect import OpaqueTarget
from planner.netfilter.lower import lower_rule, lower_target
from planner.netfilter.registry import find_match, find_target, match_names, target_names
from planner.netfilter.rule import RuleError, canonical, parse_rule

ROWS = tuple(rows())


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_table(row: Row) -> None:
    """What is written becomes what the kernel's tools print; what they refuse is refused; what has no meaning says so."""
    if row.status == "FAIL":
        with pytest.raises(RuleError, match=r"\w"):
            parse_rule(row.text, row.family)
        return
    rule = parse_rule(row.text, row.family)
    opaque = any(opaque_parts(condition) for condition in lower_rule(rule))
    opaque = opaque or isinstance(lower_target(rule), OpaqueTarget)

    assert row.canonical == canonical(row.text, row.family)
    if row.note != "printed without the quotes it needs":
        assert row.canonical == canonical(row.canonical, row.family)
        assert rule == parse_rule(row.canonical, row.family)
    assert row.status == ("OPAQUE" if opaque else "OK")


def test_every_extension_has_a_table_that_shows_it_and_its_refusals() -> None:
    """An extension without a line that loads and one that does not is not known to work."""
    shown = {(row.file, row.status == "FAIL") for row in ROWS}
    wanted = {f"match_{name}" for name in match_names()} | {
        f"target_{name.lower()}" for name in target_names()
    }
    # Nothing can be refused where there is nothing to say.
    unrefusable = {
        "match_bpf": False, "match_srh": True, "match_rpfilter": True, "target_masquerade": False, "match_hbh": True,
        "match_time": False, "target_tcpoptstrip": False, "match_dst": False, "target_trace": False,
    }  # fmt: skip

    assert wanted == {file for file, _ in shown if file != "rule"}
    assert set() == {file for file in wanted if (file, False) not in shown}
    assert set() == {file for file in wanted if (file, True) not in shown and not unrefusable.get(file)}


def test_every_extension_loads_and_answers_to_its_file() -> None:
    """The name of the file is the name of the extension."""
    assert match_names() == {extension.name for name in match_names() if (extension := find_match(name))}
    assert target_names() == {extension.name for name in target_names() if (extension := find_target(name))}


@pytest.mark.parametrize("name", sorted(match_names()))
def test_options_of_a_match_are_named_once(name: str) -> None:
    """An alias that hides another option would make one of them unreachable."""
    extension = find_match(name)
    assert extension is not None
    names = [name for option in extension.options for name in (option.name, *option.aliases)]

    assert sorted(set(names)) == sorted(names)
