"""The packets that scenario pages list end as the page says, before and after."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from flows import filled
from page import UPDATE, Scenario, pages, read

SCENARIOS = [scenario for page in pages() for scenario in read(page) if scenario.flows]


@pytest.mark.parametrize("scenario", [pytest.param(item, id=item.id) for item in SCENARIOS])
def test_the_page_tells_what_becomes_of_packets(scenario: Scenario) -> None:
    """The flows fence is what `netchange trace` says, word for word; NETCHANGE_UPDATE_PAGES=1 rewrites it."""
    if UPDATE:
        pytest.skip("pages are rewritten by test_pages_are_rewritten")

    assert scenario.flows == filled(scenario)
