"""LED: a light that blinks."""

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Kind, Option, Target, Use
from planner.netfilter.kinds import always_quoted, flag, number


def read_delay(words: tuple[str, ...], _family: str) -> int | None:
    """Milliseconds, or None for ever."""
    return None if words[0] == "inf" else number(words[0], 0, 0xFFFFFFFF)


def effect(use: Use, context: Context) -> Effect:
    """Only tells."""
    return Log(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="LED",
    options=(
        Option("led-trigger-id", always_quoted(1, 26)),
        Option(
            "led-delay",
            Kind(read=read_delay, show=lambda value, _family: "inf" if value is None else str(value)),
            silent=lambda value: value == 0,
        ),
        Option("led-always-blink", flag()),
    ),
    required=("led-trigger-id",),
    effect=effect,
)
