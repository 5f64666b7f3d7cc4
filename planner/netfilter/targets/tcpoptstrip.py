"""TCPOPTSTRIP: options taken out of the TCP header."""

from planner.netfilter.condition import Field
from planner.netfilter.effect import Effect, SetBits
from planner.netfilter.extension import Context, Kind, Option, Target, Use
from planner.netfilter.kinds import number

NAMES = {"wscale": 3, "mss": 2, "sack-permitted": 4, "sack": 5, "timestamp": 8, "md5": 19}


def read(words: tuple[str, ...], _family: str) -> tuple[int, ...]:
    """Names or numbers between commas."""
    return tuple(
        sorted({NAMES[word] if word in NAMES else number(word, 2, 255) for word in words[0].split(",")})
    )


OPTIONS = Option("strip-options", Kind(read=read, show=lambda value, _family: ",".join(map(str, value))))


def effect(use: Use, _context: Context) -> Effect:
    """They become no-operations."""
    return SetBits(Field.TCP_OPTIONS, 0, sum(1 << kind for kind in OPTIONS.of(use) or ()))


EXTENSION = Target(name="TCPOPTSTRIP", options=(OPTIONS,), protocols=(6,), effect=effect)
