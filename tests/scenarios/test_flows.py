"""The packets that scenario pages list end as the page says, before and after, one by one and among all packets."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from flows import filled, flow_of, rows, states
from oracle.members import Sets
from page import UPDATE, Scenario, pages, read

from planner.dataplane.trace import by_port
from planner.dataplane.view import view_of

SCENARIOS = [scenario for page in pages() for scenario in read(page) if scenario.flows]


@pytest.mark.parametrize("scenario", [pytest.param(item, id=item.id) for item in SCENARIOS])
def test_the_page_tells_what_becomes_of_packets(scenario: Scenario) -> None:
    """The flows fence is what `netchange trace` says, word for word; NETCHANGE_UPDATE_PAGES=1 rewrites it."""
    if UPDATE:
        pytest.skip("pages are rewritten by test_pages_are_rewritten")

    assert scenario.flows == filled(scenario)


@pytest.mark.parametrize("scenario", [pytest.param(item, id=item.id) for item in SCENARIOS])
def test_what_differs_is_in_a_class(scenario: Scenario) -> None:
    """A packet that ends in another way is in a class of the comparison, one that does not is in none."""
    before, after = states(scenario)
    for row in rows(scenario):
        flow = by_port(view_of(before), flow_of(row, before))
        sets = Sets(before, after, flow.family)
        place = sets.place(flow)
        if flow.mark:
            continue  # the comparison is about packets without a mark of a socket
        if place is None:
            # It is about links that are up on both sides.
            assert not all(view_of(state).links[flow.entry.link].up for state in (before, after)), row
            continue

        assert (row.before != row.after) == place.differs, (row, place)
        # Which of several next hops a flow takes is not said.
        assert not sets.doubts or " or " in row.before, row
