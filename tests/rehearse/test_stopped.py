"""A rehearsal that is stopped does not wait for what it has started."""

import pytest

from planner.rehearse.namespaces import StageFailedError
from planner.rehearse.run import Stopped


class Place:
    """Something that can be abandoned."""

    abandoned = 0

    def abandon(self) -> None:
        self.abandoned += 1


def stopped_by(error: BaseException) -> tuple[Stopped, list[Place]]:
    stopped, places = Stopped(), [Place(), Place()]
    for place in places:
        stopped.add(place)  # type: ignore[arg-type]
    with pytest.raises(type(error)), stopped:
        raise error
    return stopped, places


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), StageFailedError("gone")], ids=repr)
def test_every_stage_is_abandoned(error: BaseException) -> None:
    """At Ctrl-C, at SIGTERM and where one of them fails: the other thread's command ends, and the thread with it."""
    _, places = stopped_by(error)

    assert [1, 1] == [place.abandoned for place in places]


def test_one_that_comes_too_late_is_refused() -> None:
    """The other thread may have been about to make one."""
    stopped, _ = stopped_by(KeyboardInterrupt())

    with pytest.raises(StageFailedError):
        stopped.add(Place())  # type: ignore[arg-type]


def test_nothing_is_abandoned_at_a_good_end() -> None:
    stopped, place = Stopped(), Place()
    stopped.add(place)  # type: ignore[arg-type]
    with stopped:
        pass

    assert 0 == place.abandoned
