"""time: the hour, the day, the date."""

import re
from datetime import UTC, datetime, timedelta

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Kind, Match, Option, Setting, Settings, Use
from planner.netfilter.kinds import flag, number
from planner.netfilter.problem import RuleError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY = 86400
LAST = 0x7FFFFFFF
"""The end of time where nothing else is said; iptables 1.8.9 prints it."""
CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2}))?")
DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2})(?:T([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2}))?)?)?)?)?"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_clock(words: tuple[str, ...], _family: str) -> int:
    """Seconds since midnight."""
    found = CLOCK.fullmatch(words[0])
    hour, minute, second = (int(part or 0) for part in found.groups()) if found else (24, 0, 0)
    if hour > 23 or minute > 59 or second > 59:
        raise RuleError(f"`{words[0]}` is not a time of day")
    return hour * 3600 + minute * 60 + second


def show_clock(value: int, _family: str) -> str:
    """With seconds."""
    return f"{value // 3600:02}:{value // 60 % 60:02}:{value % 60:02}"


def read_date(words: tuple[str, ...], _family: str) -> int:
    """Seconds since 1970; missing parts are the first."""
    found = DATE.fullmatch(words[0])
    try:
        parts = (
            [
                int(part) if part else first
                for part, first in zip(found.groups(), (0, 1, 1, 0, 0, 0), strict=True)
            ]
            if found
            else []
        )
        moment = datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]
    except (TypeError, ValueError):
        raise RuleError(f"`{words[0]}` is not a date") from None
    seconds = int((moment - EPOCH).total_seconds())
    if not 0 <= seconds <= LAST:
        raise RuleError(f"`{words[0]}` is not between 1970 and 2038")
    return seconds


def show_date(value: int, _family: str) -> str:
    """ISO 8601."""
    return (EPOCH + timedelta(seconds=value)).strftime("%Y-%m-%dT%H:%M:%S")


def read_month_days(words: tuple[str, ...], _family: str) -> tuple[int, ...]:
    """Days of the month between commas."""
    return tuple(sorted({number(word, 1, 31) for word in words[0].split(",")}))


def read_week_days(words: tuple[str, ...], _family: str) -> tuple[int, ...]:
    """Days of the week by number, or by name of which two letters are enough."""
    found = set()
    for word in words[0].split(","):
        if word.isdecimal():
            found.add(number(word, 1, 7))
            continue
        fitting = [place for place, name in enumerate(DAYS, 1) if word[:2].lower() == name[:2].lower()]
        if not fitting or len(word) < 2:
            raise RuleError(f"`{word}` is not a day of the week")
        found.add(fitting[0])
    return tuple(sorted(found))


def settle(given: Settings, _context: Context) -> Settings:
    """Negated lists are printed as the other days; ends that were not given, as the last moment."""
    settled: Settings = []
    for setting in given:
        if setting.name in {"monthdays", "weekdays"} and setting.inverted:
            most = 31 if setting.name == "monthdays" else 7
            settled.append(
                Setting(setting.name, tuple(day for day in range(1, most + 1) if day not in setting.value))
            )
        elif setting.name == "localtz":
            settled.append(Setting("kerneltz", value=True))
        elif setting.name != "utc":
            settled.append(setting)
    settled = [
        s
        for s in settled
        if not (
            (s.name, len(s.value)) in {("monthdays", 31), ("weekdays", 7)}
            if isinstance(s.value, tuple)
            else False
        )
    ]
    values = {setting.name: setting.value for setting in settled}
    start, stop = values.get("timestart", 0), values.get("timestop", DAY - 1)
    settled = [s for s in settled if s.name not in {"timestart", "timestop", "datestop"}]
    if (start, stop) != (0, DAY - 1):
        settled += [Setting("timestart", start), Setting("timestop", stop)]
    settled.append(Setting("datestop", values.get("datestop", LAST)))
    if "contiguous" in values and start <= stop:
        raise RuleError("--contiguous needs a stop before the start")
    return settled


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """The clock is not modelled."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


CLOCK_KIND = Kind(read=read_clock, show=show_clock)
DATE_KIND = Kind(read=read_date, show=show_date)

EXTENSION = Match(
    name="time",
    options=(
        Option("timestart", CLOCK_KIND),
        Option("timestop", CLOCK_KIND),
        Option(
            "monthdays",
            Kind(read=read_month_days, show=lambda v, _family: ",".join(map(str, v))),
            inverts=True,
        ),
        Option(
            "weekdays",
            Kind(read=read_week_days, show=lambda v, _family: ",".join(DAYS[d - 1] for d in v)),
            inverts=True,
        ),
        Option("datestart", DATE_KIND, silent=lambda value: value == 0),
        Option("datestop", DATE_KIND),
        Option("kerneltz", flag()),
        Option("contiguous", flag()),
        Option("utc", flag()),
        Option("localtz", flag()),
    ),
    exclusive=(("utc", "kerneltz", "localtz"),),
    settle=settle,
    meaning=meaning,
)
