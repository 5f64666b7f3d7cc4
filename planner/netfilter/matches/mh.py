"""mh: the type of a mobility header."""

from planner.netfilter.condition import Field, Interval
from planner.netfilter.extension import Kind, Match, Option
from planner.netfilter.kinds import number, read_interval, show_interval
from planner.netfilter.problem import RuleError

NAMES = (
    ("binding-refresh-request", "brr"), ("home-test-init", "hoti"), ("careof-test-init", "coti"), ("home-test", "hot"),
    ("careof-test", "cot"), ("binding-update", "bu"), ("binding-acknowledgement", "ba"), ("binding-error", "be"),
)  # fmt: skip


def read_type(word: str, low: int, high: int) -> int:
    """By number or the beginning of a name."""
    if word[:1].isdigit():
        return number(word, low, high)
    exact = [place for place, names in enumerate(NAMES) if word.lower() in names]
    fitting = exact or [place for place, names in enumerate(NAMES) if names[0].startswith(word.lower())]
    if len(fitting) != 1:
        raise RuleError(f"`{word}` is not one mobility header type")
    return fitting[0]


def read(words: tuple[str, ...], _family: str) -> Interval:
    """A type or a range of them."""
    return read_interval(words[0], 0, 255, ":", read_type)


EXTENSION = Match(
    name="mh",
    families=("ip6",),
    options=(
        Option(
            "mh-type",
            Kind(read=read, show=lambda value, _family: show_interval(value)),
            inverts=True,
            silent=lambda value: value == (0, 255),
            field=Field.MH_TYPE,
        ),
    ),
    protocols=(135,),
)
