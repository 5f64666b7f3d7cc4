"""A write that changes nothing: no code reads the key, or the other value decides.

## Why it matters

Nothing breaks, and nothing is protected: whoever wrote the line believes that it does something. For IPv6
`conf.all.accept_ra`, `accept_redirects`, `autoconf` and most others are read by nobody; for IPv4 the larger, the OR or
the AND of `conf.all` and the link's value counts.

## When it bites

At no time; the trouble is what everybody believes from then on.

## How to undo

Nothing to undo.

## How to check

Compare `conf.all` with the links' own values: `sysctl -a -r 'accept_ra$'`.
"""

from collections.abc import Iterator

from planner.models.change import Cause, SysctlChange
from planner.models.finding import Finding
from planner.proposal.sysctl import BOUNDS
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import acting, links
from planner.sysctls.catalogue import Combine, is_dead, lookup
from planner.sysctls.names import ALL, DEFAULT, conf, link_key
from planner.sysctls.numbers import number

WATCHED = frozenset({"rp_filter", "send_redirects", "route_localnet", "proxy_arp"})
"""Of the combined knobs those whose writers surely expect an effect now."""

BOUNDED = dict(BOUNDS)
"""Low marks that only bound a high mark: together with it they have to be written."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Dead keys of the proposal together; a combined `conf.all` value that decides on no link, by itself."""
    if change.cause is not Cause.PROPOSED:
        return
    if is_dead(change.key):
        keys = {other.key for other in review.changes if isinstance(other, SysctlChange)}
        if BOUNDED.get(change.key) in keys:
            return
        names = sorted(key for key in keys if is_dead(key) and BOUNDED.get(key) not in keys)
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"No code of the kernel reads {listed(names or [change.key], most=4)}: on {change.node} nothing changes.",
            onset=change.horizon,
            remedy="Write the links' own keys where the setting is wanted.",
        )
        return
    parts, fact = link_key(change.key), lookup(change.key)
    if (
        parts is None
        or fact is None
        or parts.link != ALL
        or parts.knob not in WATCHED
        or parts.family != "ipv4"
    ):
        return
    names = [link.name for link in links(review.after)]
    default = conf("ipv4", DEFAULT, parts.knob)
    moved = any(
        acting(review.before, name, parts.knob) != acting(review.after, name, parts.knob) for name in names
    )
    later = number(review.after.sysctls.get(default)) or 0
    if not names or moved or later < (number(change.after) or 0):
        return
    how = "the larger value counts" if fact.combine is Combine.MAX else "either value is enough"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.key}={change.after} changes nothing on {change.node}: {how}, and every link, and the default for new "
            f"ones, has its own."
        ),
        onset=change.horizon,
        remedy=f"Write {parts.knob} of the links and of conf.default as well, where the effect is wanted.",
    )


RISK = Risk[SysctlChange](
    id="void-write",
    title="A write that changes nothing",
    on=(SysctlChange,),
    judge=judge,
    sources=(
        "Linux, include/linux/inetdevice.h; net/ipv6/addrconf.c (no reader of conf.all for these knobs); measured",
    ),
    verify="sysctl -a -r 'conf.(all|default)'",
)
