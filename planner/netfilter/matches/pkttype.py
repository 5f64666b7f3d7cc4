"""pkttype: whether the frame was for this host, for all, or for a group."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Kind, Match, Option
from planner.netfilter.problem import RuleError

TYPES = ("unicast", "broadcast", "multicast")
OTHERS = {"bcast": 1, "mcast": 2, "host": 0}


def read(words: tuple[str, ...], _family: str) -> int:
    """By name."""
    word = words[0].lower()
    if word in OTHERS:
        return OTHERS[word]
    if word not in TYPES:
        raise RuleError(f"unknown packet type `{words[0]}`")
    return TYPES.index(word)


EXTENSION = Match(
    name="pkttype",
    options=(
        Option(
            "pkt-type",
            Kind(read=read, show=lambda value, _family: TYPES[value]),
            inverts=True,
            field=Field.PACKET_TYPE,
        ),
    ),
    required=("pkt-type",),
)
