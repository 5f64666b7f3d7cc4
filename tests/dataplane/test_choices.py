"""Outcomes of draws and of what is not known."""

from small_node import node, out

from planner.dataplane.trace import trace
from planner.models.flow import Disposition

THREE = "\n".join(
    f"nat PREROUTING -d 10.96.0.1/32 {chance}-j DNAT --to-destination 10.9.0.{n}"
    for n, chance in enumerate(
        (
            "-m statistic --mode random --probability 0.33333333349 ",
            "-m statistic --mode random --probability 0.50000000000 ",
            "",
        ),
        1,
    )
)


def test_each_endpoint_is_an_outcome_with_its_probability() -> None:
    """Three endpoints, a third each."""
    traces = trace(node(THREE), out(destination="10.96.0.1"))

    assert ["10.9.0.1", "10.9.0.2", "10.9.0.3"] == sorted(found.after.destination for found in traces)
    assert ("PREROUTING rule 1 (0.33333333349): hit",) == traces[0].draws


def test_draws_can_be_fixed() -> None:
    """One outcome, and the question is put with its probability."""
    asked = []

    def second(key: str, probability: float) -> bool:
        asked.append((key, round(probability, 2)))
        return "rule 2" in key

    traces = trace(node(THREE), out(destination="10.96.0.1"), draw=second)

    assert ["10.9.0.2"] == [found.after.destination for found in traces]
    assert [("PREROUTING rule 1", 0.33), ("PREROUTING rule 2", 0.5)] == asked


def test_every_nth_packet_is_not_known() -> None:
    """A counter of the kernel's."""
    found = trace(node("filter FORWARD -m statistic --mode nth --every 2 --packet 0 -j DROP"), out())

    assert [Disposition.UNKNOWN] == [one.disposition for one in found]


def test_a_draw_without_consequence_is_two_equal_outcomes() -> None:
    """Draws are never merged: their probabilities are part of the answer."""
    found = trace(node("filter FORWARD -m statistic --mode random --probability 0.5 -j ACCEPT"), out())

    assert [Disposition.SENT, Disposition.SENT] == [one.disposition for one in found]


def test_three_hundred_endpoints_are_three_hundred_outcomes() -> None:
    """No recursion, no limit of depth."""
    text = "\n".join(
        f"nat PREROUTING -m statistic --mode random --probability {1 / (300 - n):.11f} -j DNAT --to-destination 10.9.{n >> 8}.{n & 255}"
        for n in range(299)
    )
    traces = trace(node(text + "\nnat PREROUTING -j DNAT --to-destination 10.9.1.43"), out())

    assert 300 == len(traces)


def test_too_many_open_questions_are_told() -> None:
    """Each of these rules doubles the ways; the trace gives up in words."""
    text = "\n".join(
        f"filter FORWARD -m limit --limit {n + 1}/sec -j MARK --set-xmark {1 << n:#x}/{1 << n:#x}"
        for n in range(16)
    )
    found = trace(node(text), out())

    assert {Disposition.UNKNOWN} == {one.disposition for one in found}


def test_equal_input_gives_equal_output() -> None:
    """Traces come in the same order each time."""
    assert trace(node(THREE), out(destination="10.96.0.1")) == trace(
        node(THREE), out(destination="10.96.0.1")
    )
