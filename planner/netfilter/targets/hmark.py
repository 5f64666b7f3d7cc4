"""HMARK: a mark made from a hash of the flow."""

from planner.netfilter.effect import Effect, OpaqueTarget
from planner.netfilter.extension import Context, Kind, Option, Setting, Settings, Target, Use
from planner.netfilter.kinds import bits, integer, number
from planner.netfilter.problem import RuleError

TUPLE = {
    "src": ("hmark-src-prefix", -1), "dst": ("hmark-dst-prefix", -1), "sport": ("hmark-sport-mask", 0xFFFF),
    "dport": ("hmark-dport-mask", 0xFFFF), "spi": ("hmark-spi-mask", 0xFFFFFFFF),
}  # fmt: skip
PORTS = ("hmark-sport-mask", "hmark-dport-mask", "hmark-sport", "hmark-dport")


def read_tuple(words: tuple[str, ...], _family: str) -> tuple[str, ...]:
    """Parts of the flow between commas."""
    parts = tuple(words[0].split(","))
    if not {*TUPLE, "ct"}.issuperset(parts):
        raise RuleError(f"`{words[0]}` is not a list of src, dst, sport, dport, spi and ct")
    return parts


def read_mark(words: tuple[str, ...], _family: str) -> int:
    """A number other than 0."""
    return number(words[0], 1, 0xFFFFFFFF)


def settle(given: Settings, context: Context) -> Settings:
    """A tuple is printed as the masks it stands for; only `ct` stays."""
    settled: Settings = []
    for setting in given:
        if setting.name != "hmark-tuple":
            settled.append(setting)
            continue
        for part in setting.value:
            if part in TUPLE:
                name, full = TUPLE[part]
                settled.append(Setting(name, bits(context.family) if full < 0 else full))
        if "ct" in setting.value:
            settled.append(Setting("hmark-tuple", ("ct",)))
    names = {setting.name for setting in settled}
    if len(names) != len(settled):
        raise RuleError("a part of the flow is named twice")
    if "hmark-spi-mask" in names and not names.isdisjoint(PORTS):
        raise RuleError("ports and security parameter indexes exclude each other")
    if "hmark-rnd" not in names:
        raise RuleError("`HMARK` needs --hmark-rnd")
    return settled


def effect(use: Use, context: Context) -> Effect:
    """Hashes are not modelled."""
    return OpaqueTarget(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="HMARK",
    options=(
        Option("hmark-src-prefix", integer(0, 128)),
        Option("hmark-dst-prefix", integer(0, 128)),
        Option("hmark-sport-mask", integer(0, 0xFFFF, "#06x")),
        Option("hmark-dport-mask", integer(0, 0xFFFF, "#06x")),
        Option("hmark-spi-mask", integer(form="#010x")),
        Option("hmark-sport", integer(0, 0xFFFF, "#06x")),
        Option("hmark-dport", integer(0, 0xFFFF, "#06x")),
        Option("hmark-spi", integer(form="#010x")),
        Option("hmark-proto-mask", integer(0, 0xFFFF, "#04x")),
        Option("hmark-rnd", integer(form="#010x")),
        Option("hmark-mod", Kind(read=read_mark, show=lambda value, _family: str(value))),
        Option("hmark-offset", integer()),
        Option("hmark-tuple", Kind(read=read_tuple, show=lambda value, _family: ",".join(value))),
    ),
    required=("hmark-mod",),
    settle=settle,
    effect=effect,
)
