"""What the check of the way back drops on a link after a change, and took before."""

from dataclasses import dataclass

from planner.dataplane.lookup import lookup
from planner.models.flow import Disposition
from planner.models.link import Link
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review
from planner.risks.sysctl.arrivals import Arrival, arrivals


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost on a link, and why."""

    breaks: tuple[TrafficClass, ...]
    total: bool
    """For those flows; else only some of them."""
    why: str
    doubt: str = ""


def loss(review: Review, link: Link) -> Loss | None:
    """The worst of what was taken and is dropped now; None when everything that is known to arrive there goes on."""
    found = [
        (arrival, check.doubt)
        for arrival in arrivals(review, link)
        if arrival.check(review.before, link.name).refused is None
        and (check := arrival.check(review.after, link.name)).refused is Disposition.RP_FILTER
    ]
    if not found:
        return None
    arrival, doubt = max(found, key=lambda one: (one[0].total, len(one[0].breaks)))
    return Loss(arrival.breaks, arrival.total, _why(review, arrival), doubt)


def _why(review: Review, arrival: Arrival) -> str:
    way = lookup(review.after, arrival.source, source=arrival.destination, link=arrival.out_link or None)
    back = " or ".join(dict.fromkeys(leg.link for leg in way.legs))
    how = f"leave by {back}" if way.leads and back else f"have {way}"
    rule = way.rule
    by = f" (policy rule {rule.preference})" if rule and rule.preference not in {0, 32766, 32767} else ""
    return f"answers to {arrival.who} {how}{by}"
