"""LOG: a line in the kernel's log."""

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import flag, named, string

# syslog(3)
LEVELS = {
    "emerg": 0,
    "panic": 0,
    "alert": 1,
    "crit": 2,
    "error": 3,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}


def effect(use: Use, context: Context) -> Effect:
    """Only tells."""
    return Log(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="LOG",
    options=(
        # nf_log_info keeps 30 characters with the NUL (include/uapi/linux/netfilter/xt_LOG.h).
        Option("log-prefix", string(1, cut=29)),
        Option("log-level", named(LEVELS, 0, 7, fold=False), silent=lambda value: value == LEVELS["warning"]),
        Option("log-tcp-sequence", flag()),
        Option("log-tcp-options", flag()),
        Option("log-ip-options", flag()),
        Option("log-uid", flag()),
        Option("log-macdecode", flag()),
    ),
    effect=effect,
)
