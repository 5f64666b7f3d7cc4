"""connbytes: how much a flow has carried."""

from planner.netfilter.condition import Interval
from planner.netfilter.extension import Kind, Match, Option
from planner.netfilter.kinds import choice, number, read_interval

MOST = 2**64 - 1


def show(value: Interval, _family: str) -> str:
    """Without an upper end when there is none. Unlike elsewhere, equal ends are printed twice."""
    return str(value[0]) if value[1] == MOST else f"{value[0]}:{value[1]}"


def read(words: tuple[str, ...], _family: str) -> Interval:
    """A single number is a lower end."""
    word = words[0] if ":" in words[0] else f"{words[0]}:"
    return read_interval(word, 0, MOST, ":", number)


EXTENSION = Match(
    name="connbytes",
    options=(
        Option("connbytes", Kind(read=read, show=show), inverts=True),
        Option("connbytes-mode", choice(("packets", "bytes", "avgpkt"), fold=False)),
        Option("connbytes-dir", choice(("original", "reply", "both"), fold=False)),
    ),
    required=("connbytes", "connbytes-mode", "connbytes-dir"),
    stateful=True,
)
