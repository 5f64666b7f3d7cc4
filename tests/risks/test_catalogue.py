"""One test over the whole catalogue: every risk is documented, checkable, sourced and shown on a page."""

import re
from pathlib import Path

import pytest

from planner.errors import NetchangeError
from planner.risks.catalogue import Entry, catalogue, described, entries
from planner.risks.explain import explain, explain_all, named

HEADINGS = ("## Why it matters", "## When it bites", "## How to undo", "## How to check")
PAGES = Path(__file__).parents[1] / "scenarios"
ALL = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.risk.id)


@ALL
def test_the_id_tells_where_the_module_is(entry: Entry) -> None:
    """Kebab-case, and the module is named after the same words."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.risk.id)
    words = {word.rstrip("s") for word in entry.module.rsplit(".", 1)[-1].split("_")}
    said = {word.rstrip("s") for word in entry.risk.id.split("-")}

    assert 2 * len(words & said) >= len(words), entry.module


@ALL
def test_the_text_has_every_heading_in_order(entry: Entry) -> None:
    """A first sentence that says what, then why, when, how to undo and how to check, each with words under it."""
    assert entry.summary.endswith("."), entry.summary
    found = re.findall(r"^## .+$", entry.text, re.MULTILINE)

    assert list(HEADINGS) == found
    for part in re.split(r"^## .+$", entry.text, flags=re.MULTILINE)[1:]:
        assert len(part.split()) >= 2, part


@ALL
def test_it_can_be_checked_and_has_sources(entry: Entry) -> None:
    """A command that shows the present state, and where the fact stands."""
    assert entry.risk.verify.strip()
    assert entry.risk.sources
    assert all(source.strip() for source in entry.risk.sources)
    assert entry.risk.title
    assert not entry.risk.title.endswith(".")


def test_every_risk_is_shown_on_a_page() -> None:
    """A risk without a scenario that raises it is a claim without a witness."""
    shown = set()
    for page in PAGES.glob("*.md"):
        shown |= set(
            re.findall(r"^\| \w+ \| `([a-z0-9-]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
        )
    # What no change alone raises has a test of its own (tests/test_rehearsed.py).
    missing = sorted({risk.id for risk in catalogue() if risk.on} - shown)

    assert not missing, f"{len(missing)} risks are on no page: {', '.join(missing)}"


def test_no_page_names_a_risk_that_is_gone() -> None:
    """Pages follow the catalogue."""
    known = {risk.id for risk in catalogue()}
    for page in PAGES.glob("*.md"):
        for name in re.findall(
            r"^\| \w+ \| `([a-z0-9-]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE
        ):
            assert name in known, f"{page.name} names {name}"


def test_an_unknown_name_is_answered_with_its_neighbours() -> None:
    """A slip gets a sentence and a suggestion, not a crash."""
    with pytest.raises(NetchangeError) as caught:
        named("default-route-lots")

    assert "risk-unknown" == caught.value.reference
    assert "`default-route-lost`" in caught.value.hint


def test_explain_holds_everything_of_one_object() -> None:
    """The page is derived from the risk and its module, nothing is kept by hand."""
    entry = next(item for item in entries() if item.risk.id == "default-route-lost")
    page = explain(entry.risk)

    assert page.startswith(f"# {entry.risk.title}\n")
    assert entry.risk.verify in page
    for heading in HEADINGS:
        assert heading in page
    for source in entry.risk.sources:
        assert source in page


def test_the_whole_catalogue_is_one_document() -> None:
    """Every risk has its row and its page."""
    text = explain_all()

    for risk in catalogue():
        assert f"| `{risk.id}` | {risk.title} |" in text
        assert f"# {risk.title}\n" in text


def test_reports_get_what_they_need_without_the_catalogue() -> None:
    """Only what was named, with its first sentence."""
    found = described(["default-route-lost"])

    assert ["default-route-lost"] == list(found)
    assert "The node has no default route any more." == found["default-route-lost"].summary
