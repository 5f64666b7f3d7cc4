"""rateest: rates estimated by the target of the same name, compared."""

import re
from fractions import Fraction

from planner.netfilter.extension import OPTIONAL, Context, Kind, Match, Option, Setting, Settings
from planner.netfilter.kinds import bare, flag, number
from planner.netfilter.problem import RuleError

RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kmgt]?)(i?)(bit|bps)?", re.IGNORECASE)
PREFIXES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
PER_SECOND = ("rateest-bps", "rateest-bps1", "rateest-bps2", "rateest-pps", "rateest-pps1", "rateest-pps2")


def read(words: tuple[str, ...], _family: str) -> int | None:
    """Bits per second, read as octets: `kbps` and the like are octets already. None where no value is given."""
    if not words:
        return None
    found = RATE.fullmatch(words[0])
    if not found:
        raise RuleError(f"`{words[0]}` is not a rate")
    factor = (1024 if found[3] else 1000) ** PREFIXES[found[2].lower()]
    octets = Fraction(found[1]) * factor / (1 if (found[4] or "").lower() == "bps" else 8)
    if octets >= 1 << 32:
        raise RuleError(f"rate `{words[0]}` is too large")
    return int(octets) * 8


def show(value: int | None, _family: str) -> str:
    """libxt_rateest.c, rateest_print_rate."""
    if value is None:
        return ""
    if value >= 1_000_000_000:
        return f"{value / 1_000_000:.0f}Mbit"
    return f"{value / 1000:.0f}Kbit" if value >= 1_000_000 else f"{value}bit"


def read_packets(words: tuple[str, ...], _family: str) -> int | None:
    """Packets per second; None where no value is given."""
    return number(words[0], 0, 0xFFFFFFFF) if words else None


BITS = Kind(read=read, show=show, words=OPTIONAL)
PACKETS = Kind(
    read=read_packets, show=lambda value, _family: "" if value is None else str(value), words=OPTIONAL
)


def settle(given: Settings, _context: Context) -> Settings:
    """In the order of libxt_rateest.c, rateest_save: names and rates around the comparison."""
    by_name = {setting.name: setting for setting in given}
    first = by_name.get("rateest", by_name.get("rateest1"))
    if first is None:
        raise RuleError("`rateest` needs an estimator")
    compare = next(
        (by_name[name] for name in ("rateest-lt", "rateest-gt", "rateest-eq") if name in by_name), None
    )
    if compare is None:
        raise RuleError("`rateest` needs a comparison: lt, gt or eq")
    delta = "rateest-delta" in by_name
    if "rateest2" not in by_name and not any(name in by_name for name in PER_SECOND):
        raise RuleError("`rateest` needs a rate to compare with")
    ones = [by_name[name] for name in ("rateest-bps1", "rateest-pps1") if name in by_name]
    plain = [by_name[name] for name in ("rateest-bps", "rateest-pps") if name in by_name]
    twos = [by_name[name] for name in ("rateest-bps2", "rateest-pps2") if name in by_name]
    settled = [by_name["rateest-delta"]] if delta else []
    settled.append(first)
    settled.extend(ones)
    settled.append(compare)
    settled.extend(plain)
    settled.extend(twos)
    if "rateest2" in by_name:
        settled.append(by_name["rateest2"])
    return [Setting(setting.name, setting.value, setting.inverted) for setting in settled]


EXTENSION = Match(
    name="rateest",
    options=(
        Option("rateest-delta", flag()),
        Option("rateest", bare(1, 15)),
        Option("rateest1", bare(1, 15)),
        Option("rateest2", bare(1, 15)),
        Option("rateest-bps", BITS),
        Option("rateest-bps1", BITS),
        Option("rateest-bps2", BITS),
        Option("rateest-pps", PACKETS),
        Option("rateest-pps1", PACKETS),
        Option("rateest-pps2", PACKETS),
        Option("rateest-lt", flag(), inverts=True),
        Option("rateest-gt", flag(), inverts=True),
        Option("rateest-eq", flag(), inverts=True),
    ),
    ordered=False,
    settle=settle,
    stateful=True,
)
