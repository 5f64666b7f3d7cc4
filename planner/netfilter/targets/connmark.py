"""CONNMARK: the mark of the flow set, saved from the packet or given back to it."""

from planner.netfilter.effect import Effect, RestoreMark, SaveMark, SetConnectionMark
from planner.netfilter.extension import Context, Option, Setting, Settings, Target, Use
from planner.netfilter.kinds import flag, full_mark, integer
from planner.netfilter.problem import RuleError
from planner.netfilter.targets.mark import xmark

FULL = 0xFFFFFFFF
SETTERS = ("set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark")
MODES = (*SETTERS, "save-mark", "restore-mark")
SHIFTS = ("left-shift-mark", "right-shift-mark")
XMARK = Option("set-xmark", full_mark())


def settle(given: Settings, _context: Context) -> Settings:
    """Every way of setting becomes one; masks are always printed."""
    values = {setting.name: setting.value for setting in given}
    setter = next((name for name in SETTERS if name in values), None)
    masks = {"mask", "nfmask", "ctmask"}.intersection(values)
    shift = [setting for setting in given if setting.name in SHIFTS]
    if setter:
        if masks:
            raise RuleError("masks belong to --save-mark and --restore-mark")
        return [Setting(XMARK.name, xmark(setter, values[setter])), *shift]
    if "mask" in masks and len(masks) > 1:
        raise RuleError("--mask and --nfmask or --ctmask exclude each other")
    packet = values.get("nfmask", values.get("mask", FULL))
    connection = values.get("ctmask", values.get("mask", FULL))
    mode = "save-mark" if "save-mark" in values else "restore-mark"
    return [Setting(mode, value=True), Setting("nfmask", packet), Setting("ctmask", connection), *shift]


def effect(use: Use, _context: Context) -> Effect:
    """xt_connmark.c, connmark_tg_shift."""
    values = {setting.name: setting.value for setting in use.settings}
    if XMARK.name in values:
        value, mask = values[XMARK.name]
        return SetConnectionMark(
            value, mask, values.get("left-shift-mark", 0) - values.get("right-shift-mark", 0)
        )
    if "save-mark" in values:
        return SaveMark(values["nfmask"], values["ctmask"])
    return RestoreMark(values["nfmask"], values["ctmask"])


EXTENSION = Target(
    name="CONNMARK",
    options=(
        XMARK,
        Option("set-mark", full_mark()),
        Option("and-mark", integer()),
        Option("or-mark", integer()),
        Option("xor-mark", integer()),
        Option("save-mark", flag()),
        Option("restore-mark", flag()),
        Option("nfmask", integer(form="#x")),
        Option("ctmask", integer(form="#x")),
        Option("mask", integer()),
        Option("left-shift-mark", integer(0, 32)),
        Option("right-shift-mark", integer(0, 32)),
    ),
    any_of=MODES,
    exclusive=(MODES, SHIFTS),
    settle=settle,
    effect=effect,
)
