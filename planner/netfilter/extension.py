"""An extension as a table: its options, in the order in which iptables-save prints them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from planner.netfilter.condition import Condition, Field, Interval, Opaque, field_in
from planner.netfilter.effect import Effect, OpaqueTarget
from planner.netfilter.problem import RuleError

T = TypeVar("T")
FAMILIES = ("ip", "ip6")
OPTIONAL = -1
"""A number of words: one, unless another option follows."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How an option's words are read, and how its value is printed."""

    read: Callable[[tuple[str, ...], str], T]
    """From the words and the family; raises `RuleError`."""
    show: Callable[[T, str], str]
    """The canonical words, quoted as iptables-save does; empty for a flag."""
    words: int = 1


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """One option of an extension."""

    name: str
    kind: Kind[T]
    aliases: tuple[str, ...] = ()
    inverts: bool = False
    """May stand behind `!`."""
    silent: Callable[[T], bool] | None = None
    """Values that are not printed, because they are what the kernel has anyway."""
    field: Field | None = None
    """For values that are numbers or intervals: the field they are about."""
    once: bool = True

    def of(self, use: "Use") -> T | None:
        """The value given in a rule, or None."""
        for setting in use.settings:
            if setting.name == self.name:
                value: T = setting.value
                return value
        return None

    def inverted_in(self, use: "Use") -> bool:
        """Whether `!` stands before it."""
        return any(setting.inverted for setting in use.settings if setting.name == self.name)


AnyOption = Option[Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One option as given."""

    name: str
    value: Any
    """What the option's kind read."""
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """One extension as used in one rule, canonical: options in printed order, defaults filled in."""

    extension: str
    """As printed after `-m` or `-j`."""
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Verbatim:
    """An extension that is not known here: kept as written."""

    extension: str
    words: tuple[str, ...] = ()
    raws: tuple[str, ...] = ()
    """The same with the quotes they were written with."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an extension may know about the rule around it."""

    family: str
    protocol: int | None = None
    """None when the rule asks for none, or with `!`."""


Settings = list[Setting]
Settle = Callable[[Settings, Context], Settings]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """What matches and targets have in common."""

    name: str
    options: tuple[AnyOption, ...] = ()
    families: tuple[str, ...] = FAMILIES
    protocols: tuple[int, ...] = ()
    """The rule must ask for one of these protocols; empty: any."""
    protocols_in: tuple[str, ...] = FAMILIES
    """Families in which `protocols` is asked for."""
    required: tuple[str, ...] = ()
    """Options that must be given."""
    any_of: tuple[str, ...] = ()
    """At least one of these must be given."""
    exclusive: tuple[tuple[str, ...], ...] = ()
    """Of each group at most one."""
    needs: tuple[tuple[str, str], ...] = ()
    """The first is refused without the second."""
    ordered: bool = True
    """False: options are printed as they were given."""
    settle: Settle | None = None
    """From what was given to what iptables-save prints: synonyms resolved, defaults filled in. Raises `RuleError`."""
    index: dict[str, AnyOption] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Every name and alias."""

    def __post_init__(self) -> None:
        for option in self.options:
            for name in (option.name, *option.aliases):
                self.index[name] = option

    def finish(self, given: Settings, context: Context) -> Use:
        """Check what was given and make it canonical."""
        if context.family not in self.families:
            raise RuleError(f"`{self.name}` does not exist for this family")
        if self.protocols and context.family in self.protocols_in and context.protocol not in self.protocols:
            raise RuleError(f"`{self.name}` needs its protocol: `-p` is missing, negated or another one")
        names = {setting.name for setting in given}
        for name in self.required:
            if name not in names:
                raise RuleError(f"`{self.name}` needs --{name}")
        if self.any_of and names.isdisjoint(self.any_of):
            raise RuleError(f"`{self.name}` needs one of --{', --'.join(self.any_of)}")
        for group in self.exclusive:
            together = [name for name in group if name in names]
            if len(together) > 1:
                raise RuleError(f"`{self.name}`: --{together[0]} and --{together[1]} exclude each other")
        for name, other in self.needs:
            if name in names and other not in names:
                raise RuleError(f"`{self.name}`: --{name} needs --{other}")
        settled = self.settle(given, context) if self.settle else given
        if self.ordered and len(settled) > 1:
            places = {option.name: place for place, option in enumerate(self.options)}
            settled = sorted(settled, key=lambda setting: places[setting.name])
        kept = []
        for setting in settled:
            silent = self.index[setting.name].silent
            if silent is None or setting.inverted or not silent(setting.value):
                kept.append(setting)
        return Use(self.name, tuple(kept))

    def emit(self, use: Use, family: str) -> str:
        """The options as iptables-save prints them, without the name."""
        parts = []
        for setting in use.settings:
            words = self.index[setting.name].kind.show(setting.value, family)
            sign = "! " if setting.inverted else ""
            parts.append(f"{sign}--{setting.name} {words}" if words else f"{sign}--{setting.name}")
        return " ".join(parts)


LowerMatch = Callable[[Use, Context], tuple[Condition, ...]]
LowerTarget = Callable[[Use, Context], Effect]


def intervals_of(value: Any) -> tuple[Interval, ...]:
    """A number, an interval or several, as intervals."""
    if isinstance(value, int):
        return ((int(value), int(value)),)
    if len(value) == 2 and isinstance(value[0], int):
        return ((value[0], value[1]),)
    return tuple(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Extension):
    """A match extension. Without `meaning`, each option must be about a field; otherwise the match is opaque."""

    meaning: LowerMatch | None = None
    stateful: bool = False
    """For matches that stay opaque: looking changes what is found next."""

    def text(self, use: Use, family: str) -> str:
        """As iptables-save prints it."""
        options = self.emit(use, family)
        return f"-m {use.extension} {options}" if options else f"-m {use.extension}"

    def lower(self, use: Use, context: Context) -> tuple[Condition, ...]:
        """A conjunction."""
        if self.meaning is not None:
            return self.meaning(use, context)
        conditions = []
        for setting in use.settings:
            about = self.index[setting.name].field
            if about is None:
                return (Opaque(self.text(use, context.family), self.stateful),)
            conditions.append(
                field_in(about, intervals_of(setting.value), family=context.family, inverted=setting.inverted)
            )
        return tuple(conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Extension):
    """A target extension."""

    effect: LowerTarget | None = None

    def text(self, use: Use, family: str) -> str:
        """As iptables-save prints it."""
        options = self.emit(use, family)
        return f"-j {use.extension} {options}" if options else f"-j {use.extension}"

    def lower(self, use: Use, context: Context) -> Effect:
        """What it does."""
        if self.effect is None:
            return OpaqueTarget(self.text(use, context.family))
        return self.effect(use, context)
