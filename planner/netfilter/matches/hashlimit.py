"""hashlimit: a rate for each host, port or pair of them."""

import re
from dataclasses import dataclass

from planner.netfilter.extension import Context, Kind, Match, Option, Setting, Settings
from planner.netfilter.kinds import bare, bits, flag, integer, number, some_of
from planner.netfilter.problem import RuleError

SCALE = 1_000_000
"""XT_HASHLIMIT_SCALE_v2 (include/uapi/linux/netfilter/xt_hashlimit.h)."""
SECONDS = {"day": 86400, "hour": 3600, "min": 60, "sec": 1}
WORDS = {"second": "sec", "minute": "min", "hour": "hour", "day": "day"}
BYTES = re.compile(r"([0-9]+)(mb|kb|b)/s(?:ec(?:ond)?)?")
BURST = re.compile(r"([0-9]+)(mb|kb|b)?")
FACTORS = {"mb": 1 << 20, "kb": 1 << 10, "b": 1}
MODES = ("srcip", "srcport", "dstip", "dstport")


@dataclass(frozen=True, slots=True)
class Rate:
    """Packets in a time, or octets in a second, as the kernel keeps them."""

    period: int
    """For packets: SCALE * seconds / packets. For octets: how many, in steps of 16."""
    seconds: int
    """Of the unit it was given in."""
    octets: bool = False

    def printed(self) -> tuple[int, str]:
        """Amount and unit as printed: the largest unit that loses nothing (libxt_hashlimit.c, print_rate)."""
        units = list(SECONDS.items())
        chosen = units[0]
        for unit in units[1:]:
            whole = unit[1] * SCALE
            if self.period > whole or whole // self.period < whole % self.period:
                break
            chosen = unit
        return chosen[1] * SCALE // self.period, chosen[0]


def least_burst(octets: int) -> int:
    """What libxt_hashlimit.c asks for at least: the rate as a 32-bit cost and back (bytes_to_cost, cost_to_bytes)."""
    cost = 0xFFFFFFFF // ((octets >> 4) + 1)
    return (0xFFFFFFFF // cost - 1) << 4


def show_octets(value: int) -> str:
    """In the largest unit that divides it."""
    for unit, factor in FACTORS.items():
        if value >= factor and value % factor == 0:
            return f"{value // factor}{unit}"
    return f"{value}b"


def read(words: tuple[str, ...], _family: str) -> Rate:
    """`512kb/s` or `5/min`."""
    octets = BYTES.fullmatch(words[0])
    if octets:
        amount = number(octets[1], 1, 0xFFFFFFFF) * FACTORS[octets[2]]
        if not 16 <= amount <= 0xFFFFFFFF:
            raise RuleError(f"rate `{words[0]}` is out of range")
        return Rate(amount & ~15, 1, octets=True)
    amount_word, found, unit = words[0].partition("/")
    full = (
        next((name for name in WORDS if unit and name.startswith(unit.lower())), None) if found else "second"
    )
    if full is None:
        raise RuleError(f"`{words[0]}` is not a rate")
    amount = number(amount_word, 1, 0xFFFFFFFF)
    seconds = SECONDS[WORDS[full]]
    if amount // seconds > SCALE:
        raise RuleError(f"rate `{words[0]}` is too fast")
    return Rate(SCALE * seconds // amount, seconds)


def show(value: Rate, _family: str) -> str:
    """Octets per second, or packets per unit."""
    if value.octets:
        return f"{show_octets(value.period)}/s"
    amount, unit = value.printed()
    return f"{amount}/{unit}"


def read_burst(words: tuple[str, ...], _family: str) -> tuple[int, bool]:
    """A number of packets, or of octets."""
    found = BURST.fullmatch(words[0])
    if not found:
        raise RuleError(f"`{words[0]}` is not a burst")
    return number(found[1], 1, 0xFFFFFFFF) * FACTORS[found[2] or "b"], bool(found[2])


def show_burst(value: tuple[int, bool], _family: str) -> str:
    """As read."""
    return show_octets(value[0]) if value[1] else str(value[0])


def settle(given: Settings, context: Context) -> Settings:
    """`hashlimit` is `upto`, `! upto` is `above`; burst and expiry are made explicit where iptables does."""
    values = {setting.name: setting for setting in given}
    name = next(name for name in ("hashlimit-upto", "hashlimit-above", "hashlimit") if name in values)
    rate: Rate = values[name].value
    above = (name == "hashlimit-above") != values[name].inverted
    kept = [
        setting
        for setting in given
        if setting.name not in {name, "hashlimit-burst", "hashlimit-htable-expire"}
    ]
    matching = "hashlimit-rate-match" in values
    if matching and not rate.octets:
        # A rate to be matched is kept per second of its own interval.
        kept = [setting for setting in kept if setting.name != "hashlimit-rate-interval"]
        interval = (
            values["hashlimit-rate-interval"].value if "hashlimit-rate-interval" in values else rate.seconds
        )
        kept.append(Setting("hashlimit-rate-interval", interval))
        seconds = rate.seconds
        rate = Rate(rate.period // rate.seconds, seconds)
    given_seconds = rate.seconds
    if not rate.octets:
        rate = Rate(rate.period, SECONDS[rate.printed()[1]])
    kept.append(Setting("hashlimit-above" if above else "hashlimit-upto", rate))
    burst = values.get("hashlimit-burst")
    if rate.octets:
        if burst:
            least = least_burst(rate.period)
            if burst.value[0] < least:
                raise RuleError(f"a burst for this rate is at least {least}b")
            kept.append(Setting("hashlimit-burst", (burst.value[0], True)))
    else:
        if burst and burst.value[1]:
            raise RuleError("a burst in octets needs a rate in octets")
        kept.append(Setting("hashlimit-burst", burst.value if burst else (5, False)))
    expire = values.get("hashlimit-htable-expire")
    milliseconds = expire.value if expire else given_seconds * 1000
    usual = rate.seconds * 1000
    if milliseconds != usual:
        kept.append(Setting("hashlimit-htable-expire", milliseconds))
    whole = bits(context.family)
    return [
        s for s in kept if not (s.name in {"hashlimit-srcmask", "hashlimit-dstmask"} and s.value == whole)
    ]


RATE = Kind(read=read, show=show)

EXTENSION = Match(
    name="hashlimit",
    options=(
        Option("hashlimit-upto", RATE, inverts=True),
        Option("hashlimit-above", RATE, inverts=True),
        Option("hashlimit-burst", Kind(read=read_burst, show=show_burst)),
        Option("hashlimit-mode", some_of(MODES)),
        Option("hashlimit-name", bare(1, 255)),
        Option("hashlimit-htable-size", integer()),
        Option("hashlimit-htable-max", integer()),
        Option("hashlimit-htable-gcinterval", integer(), silent=lambda value: value == 1000),
        Option("hashlimit-htable-expire", integer()),
        Option("hashlimit-srcmask", integer(0, 128)),
        Option("hashlimit-dstmask", integer(0, 128)),
        Option("hashlimit-rate-match", flag()),
        Option("hashlimit-rate-interval", integer(1)),
        Option("hashlimit", RATE, inverts=True),
    ),
    required=("hashlimit-name",),
    any_of=("hashlimit-upto", "hashlimit-above", "hashlimit"),
    exclusive=(("hashlimit-upto", "hashlimit-above", "hashlimit"),),
    needs=(("hashlimit-rate-interval", "hashlimit-rate-match"),),
    settle=settle,
    stateful=True,
)
