"""What every test may ask for."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def at_a_terminal() -> Iterator[None]:
    """Signals do what they do to a command typed at a terminal, also where the suite runs in the background and ignores them."""
    ignored = {
        number: signal.SIG_DFL
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
        if signal.getsignal(number) is signal.SIG_IGN
    }
    for number, handler in ignored.items():
        signal.signal(number, handler)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
