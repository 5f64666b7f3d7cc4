"""Kinds of changes in the reports."""

from typing import get_args

from planner.models.change import Change
from planner.report.view import KINDS


def test_every_kind_of_change_has_a_name_for_readers() -> None:
    """A change of a kind without one would be counted nowhere and drawn nowhere."""
    union = get_args(get_args(Change)[0])
    kinds = {get_args(kind.model_fields["kind"].annotation)[0] for kind in union}

    assert kinds == {*KINDS}
