"""The model against the kernel on random nodes: fixed seeds, so that a failure today is a failure tomorrow."""

import pytest
from oracle.run import Batch, judge_batch

SEEDS, BATCH, PROBES = 150, 25, 70


@pytest.fixture(params=range(0, SEEDS, BATCH), scope="module")
def batch(request: pytest.FixtureRequest) -> Batch:
    """Some seeds, judged."""
    return judge_batch(range(request.param, request.param + BATCH), probes=PROBES)


def test_the_model_says_what_the_kernel_does(batch: Batch) -> None:
    """Ending, link, next hop, addresses, ports, hop limit, type of service and kind of error; nothing differs."""
    assert not batch.told, batch.told
    assert BATCH * PROBES <= batch.tally.probes


def test_the_model_knows_nearly_always(batch: Batch) -> None:
    """An answer `unknown` is never wrong, and of no use: few of them are allowed. The same for what cannot be told."""
    assert not batch.vague, batch.vague


def test_every_ending_is_among_them(batch: Batch) -> None:
    """A generator that lost half of what can happen would agree with anything."""
    endings = {kernel for _, kernel in batch.tally.pairs}
    assert {"sent", "delivered", "rejected", "refused", "silent"} <= endings
