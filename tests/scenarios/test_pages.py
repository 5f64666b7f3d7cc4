"""Every scenario page runs through the whole pipeline and gives the report that it prints."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from flows import filled
from page import HEAD, UPDATE, Scenario, pages, read, rewrite, run, table

SCENARIOS = [scenario for page in pages() for scenario in read(page)]


@pytest.mark.parametrize("scenario", [pytest.param(item, id=item.id) for item in SCENARIOS])
def test_the_page_tells_the_truth(scenario: Scenario) -> None:
    """The report fence is what the program says, word for word; NETCHANGE_UPDATE_PAGES=1 rewrites it."""
    if UPDATE:
        pytest.skip("pages are rewritten by test_pages_are_rewritten")
    assert scenario.report is not None, "the scenario has no report fence"

    assert scenario.report == table(run(scenario))


@pytest.mark.skipif(not UPDATE, reason="set NETCHANGE_UPDATE_PAGES=1 to rewrite the pages")
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_pages_are_rewritten(page: Path) -> None:
    """Each fence gets the program's own words."""
    reports = [(item.span, table(run(item))) for item in read(page) if item.report is not None]
    rewrite(page, [*reports, *((item.flows_span, filled(item)) for item in read(page) if item.flows)])


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_a_page_holds_an_innocent_twin(page: Path) -> None:
    """A page that only shows harm would pass for a judge that always cries."""
    loudest = [_loudest(item.report or "") for item in read(page)]

    assert loudest, f"{page.name} holds no scenario"
    assert min(loudest) < max(loudest), f"{page.name} gives every scenario the same level"


def _loudest(report: str) -> int:
    levels = ("none", "low", "medium", "high", "critical")
    rows = [
        line.split("|")[1].strip()
        for line in report.splitlines()
        if line.startswith("| ") and line not in HEAD
    ]
    return max((levels.index(word) for word in rows), default=0)
