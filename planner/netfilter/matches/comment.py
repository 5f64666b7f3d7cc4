"""comment: words for people; no condition."""

from planner.netfilter.condition import Condition
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import string


def meaning(_use: Use, _context: Context) -> tuple[Condition, ...]:
    """Nothing."""
    return ()


EXTENSION = Match(
    name="comment",
    # XT_MAX_COMMENT_LEN is 256 with its NUL (include/uapi/linux/netfilter/xt_comment.h).
    options=(Option("comment", string(0, 255)),),
    required=("comment",),
    meaning=meaning,
)
