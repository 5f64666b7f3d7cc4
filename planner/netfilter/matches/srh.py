"""srh: the segment routing header of IPv6."""

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import integer, prefix

COUNTS = tuple(
    f"{what}-{how}"
    for what in ("srh-hdr-len", "srh-segs-left", "srh-last-entry")
    for how in ("eq", "gt", "lt")
)


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """The header itself is asked for, even without options."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


EXTENSION = Match(
    name="srh",
    families=("ip6",),
    options=(
        Option("srh-next-hdr", integer(0, 255), inverts=True),
        *(Option(name, integer(0, 255), inverts=True) for name in COUNTS),
        Option("srh-tag", integer(0, 0xFFFF), inverts=True),
        Option("srh-psid", prefix(keep_host=True), inverts=True),
        Option("srh-nsid", prefix(keep_host=True), inverts=True),
        Option("srh-lsid", prefix(keep_host=True), inverts=True),
    ),
    meaning=meaning,
)
