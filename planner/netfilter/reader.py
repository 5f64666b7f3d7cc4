"""Reads the words of a rule from left to right, as iptables' own option loop does."""

from dataclasses import dataclass, field

from planner.netfilter.extension import (
    OPTIONAL,
    AnyOption,
    Context,
    Extension,
    Match,
    Setting,
    Target,
    Use,
    Verbatim,
)
from planner.netfilter.kinds import interface, protocol, read_prefix
from planner.netfilter.names import PROTOCOL_NAMES
from planner.netfilter.parts import Interface, Jump, Prefix, Protocol, Rule
from planner.netfilter.problem import RuleError
from planner.netfilter.registry import find_match, find_target
from planner.netfilter.words import quote_word

SHORT = {
    "p": "protocol", "s": "source", "d": "destination", "i": "in-interface", "o": "out-interface", "f": "fragment",
    "m": "match", "j": "jump", "g": "goto", "c": "set-counters", "4": "ipv4", "6": "ipv6",
}  # fmt: skip
LONG = {
    "protocol": "protocol", "source": "source", "src": "source", "destination": "destination",
    "dst": "destination", "in-interface": "in-interface", "out-interface": "out-interface", "fragments": "fragment", "match": "match", "jump": "jump", "goto": "goto", "set-counters": "set-counters",
    "ipv4": "ipv4", "ipv6": "ipv6",
}  # fmt: skip
WITHOUT_VALUE = frozenset({"fragment", "ipv4", "ipv6"})
NEGATABLE = frozenset({"protocol", "source", "destination", "in-interface", "out-interface", "fragment"})
VERDICTS = frozenset({"ACCEPT", "DROP", "RETURN", "QUEUE"})
CHAIN_NAME_MOST = 28
"""XT_EXTENSION_MAXNAMELEN less its NUL: include/uapi/linux/netfilter/x_tables.h."""


@dataclass(slots=True)
class Loaded:
    """An extension named in the rule, with the options that came for it so far."""

    name: str
    extension: Match | Target | None
    """None: not known here, kept verbatim."""
    given: list[Setting] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    raws: list[str] = field(default_factory=list)


class Reader:
    """The state of reading one rule."""

    __slots__ = (
        "at",
        "base",
        "family",
        "goto",
        "jump",
        "matches",
        "negated",
        "order",
        "raws",
        "target",
        "words",
    )

    def __init__(self, family: str, words: tuple[str, ...], raws: tuple[str, ...]) -> None:
        self.family = family
        self.words = words
        self.raws = raws
        self.at = 0
        self.negated = False
        self.base: dict[str, tuple[str, bool]] = {}
        self.matches: list[Loaded] = []
        self.order: list[Loaded] = []
        """Matches and target, the last loaded first: options belong to the latest that knows them."""
        self.target: Loaded | None = None
        self.jump = ""
        self.goto = False

    def rules(self) -> tuple[Rule, ...]:
        """Read to the end."""
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            if word == "!":
                if self.negated:
                    raise RuleError("two `!` in a row")
                self.negated = True
            elif word.startswith("--") and len(word) > 2:
                self.long(word)
            elif word[:1] == "-" and len(word) > 1:
                self.short(word)
            else:
                raise RuleError(f"`{word}` is not expected here")
        if self.negated:
            raise RuleError("`!` stands before nothing")
        return self.finish()

    def value(self, option: str, glued: str | None = None, *, negatable: bool = False) -> str:
        """The word that belongs to an option; an old `!` between them negates."""
        if glued is not None:
            return glued
        if self.at >= len(self.words):
            raise RuleError(f"`{option}` needs a value")
        word = self.words[self.at]
        self.at += 1
        # Up to 1.4.2 `--option ! value` was the way to write it; old files still hold it.
        if (
            negatable
            and word == "!" == self.raws[self.at - 1]
            and not self.negated
            and self.at < len(self.words)
        ):
            self.negated = True
            return self.value(option)
        return word

    def short(self, word: str) -> None:
        """`-p tcp` or `-ptcp`."""
        name = SHORT.get(word[1])
        if name is None:
            raise RuleError(f"unknown option `{word}`")
        if name in WITHOUT_VALUE:
            if len(word) > 2:
                raise RuleError(f"unknown option `{word}`")
            self.basic(name, word, None)
        else:
            self.basic(name, word[:2], word[2:] or None)

    def long(self, word: str) -> None:
        """`--dport 80`, `--dport=80`, or the beginning of a name that is not ambiguous."""
        name, found, glued = word[2:].partition("=")
        value = glued if found else None
        if name in LONG:
            self.basic(LONG[name], word, value)
            return
        for loaded in self.order:
            if loaded.extension is not None and name in loaded.extension.index:
                self.option(loaded, loaded.extension.index[name], word, value)
                return
        short = self.abbreviation(name)
        if isinstance(short, str):
            self.basic(short, word, value)
        elif short is not None:
            self.option(short[0], short[1], word, value)
        elif not self.implicit(name, word, value) and not self.verbatim(word):
            raise RuleError(f"unknown option `{word}`")

    def abbreviation(self, name: str) -> str | tuple[Loaded, AnyOption] | None:
        """What a name is the beginning of, as getopt_long takes it."""
        bases = {LONG[full] for full in LONG if full.startswith(name)}
        options: dict[int, tuple[Loaded, AnyOption]] = {}
        for loaded in self.order:
            if loaded.extension is not None:
                for full, option in loaded.extension.index.items():
                    if full.startswith(name):
                        options.setdefault(id(option), (loaded, option))
        if len(bases) + len(options) > 1:
            raise RuleError(f"`--{name}` is the beginning of several options")
        if bases:
            return bases.pop()
        return next(iter(options.values()), None)

    def implicit(self, name: str, word: str, glued: str | None) -> bool:
        """`-p tcp --dport 80` loads the match of its protocol where none was named."""
        asked = self.base.get("protocol")
        if asked is None or asked[1]:
            return False
        protocol_match = PROTOCOL_NAMES.get(protocol(asked[0]), "")
        extension = find_match(protocol_match) if protocol_match else None
        if extension is None or any(
            loaded.extension is extension and loaded.given for loaded in self.matches
        ):
            return False
        options = {id(option): option for full, option in extension.index.items() if full.startswith(name)}
        exact = extension.index.get(name)
        if exact is None and len(options) != 1:
            return False
        loaded = self.load_match(extension.name)
        self.option(loaded, exact or next(iter(options.values())), word, glued)
        return True

    def verbatim(self, word: str) -> bool:
        """An option of an extension that is not known here, with the values behind it."""
        owner = next((loaded for loaded in self.order if loaded.extension is None), None)
        if owner is None:
            return False
        if self.negated:
            owner.words.append("!")
            owner.raws.append("!")
            self.negated = False
        raw = self.raws[self.at - 1]
        owner.words.append(word)
        owner.raws.append(raw if raw[:1] == '"' or '"' in raw else quote_word(word))
        while self.at < len(self.words) and self.words[self.at] != "!" and self.words[self.at][:1] != "-":
            owner.words.append(self.words[self.at])
            raw = self.raws[self.at]
            owner.raws.append(raw if '"' in raw else quote_word(self.words[self.at]))
            self.at += 1
        return True

    def option(self, loaded: Loaded, option: AnyOption, word: str, glued: str | None) -> None:
        """An option of a known extension."""
        count = option.kind.words
        if count == 0 and glued is not None:
            raise RuleError(f"`--{option.name}` takes no value")
        if count == OPTIONAL:
            follows = self.words[self.at : self.at + 1]
            count = 0 if glued is None and (not follows or follows[0][:1] in {"-", "!"}) else 1
        values = [self.value(word, glued, negatable=option.inverts)] if count else []
        values.extend(self.value(word) for _ in range(count - 1))
        if self.negated and not option.inverts:
            raise RuleError(f"`--{option.name}` cannot be negated")
        if option.once and any(setting.name == option.name for setting in loaded.given):
            raise RuleError(f"`--{option.name}` is given twice")
        try:
            read = option.kind.read(tuple(values), self.family)
        except RuleError as error:
            raise type(error)(f"--{option.name}: {error}") from None
        loaded.given.append(Setting(option.name, read, self.negated))
        self.negated = False

    def basic(self, name: str, word: str, glued: str | None) -> None:
        """An option that needs no extension."""
        if name in WITHOUT_VALUE:
            if glued is not None:
                raise RuleError(f"`{word}` takes no value")
            value = ""
        else:
            value = self.value(word, glued, negatable=name in NEGATABLE)
        if self.negated and name not in NEGATABLE:
            raise RuleError(f"`!` cannot stand before `{word}`")
        if name == "match":
            self.load_match(value)
        elif name in {"jump", "goto"}:
            self.load_target(value, goto=name == "goto")
        elif name == "set-counters":
            self.counters(word, value)
        elif name in {"ipv4", "ipv6"}:
            if (name == "ipv4") != (self.family == "ip"):
                raise RuleError(f"`{word}` makes this a rule of the other family")
        elif name in self.base:
            raise RuleError(f"`{word}` is given twice")
        else:
            if name == "fragment" and self.family == "ip6":
                raise RuleError("`-f` does not exist for IPv6; use `-m frag`")
            self.base[name] = (value, self.negated)
        self.negated = False

    def counters(self, word: str, value: str) -> None:
        """`-c packets bytes` or `-c packets,bytes`: read, and not kept."""
        packets, found, octets = value.partition(",")
        if not found:
            octets = self.value(word)
        if not (packets.isdecimal() and octets.isdecimal()):
            raise RuleError("`-c` needs two numbers")

    def load_match(self, name: str) -> Loaded:
        """`-m name`."""
        if not name or name[:1] in "-!" or len(name) > CHAIN_NAME_MOST:
            raise RuleError(f"`{name}` is not the name of a match")
        loaded = Loaded(name, find_match(name))
        self.matches.append(loaded)
        self.order.insert(0, loaded)
        return loaded

    def load_target(self, name: str, *, goto: bool) -> None:
        """`-j name` or `-g name`."""
        if self.jump:
            raise RuleError("only one target can be given")
        if not name or name[:1] in "-!":
            raise RuleError(f"`{name}` is not the name of a target or chain")
        if len(name) > CHAIN_NAME_MOST:
            raise RuleError(f"`{name}` is longer than {CHAIN_NAME_MOST} characters")
        if any(character.isspace() for character in name):
            raise RuleError("the name of a chain holds a blank")
        self.jump = name
        self.goto = goto
        if goto or name in VERDICTS:
            return
        self.target = Loaded(name, find_target(name))
        self.order.insert(0, self.target)

    def finish(self) -> tuple[Rule, ...]:
        """Put the parts together; one rule for each pair of addresses."""
        asked = self.base.get("protocol")
        number = protocol(asked[0]) if asked else 0
        inverted = bool(asked and asked[1])
        if inverted and number == 0:
            raise RuleError("no packet has a protocol other than all of them")
        context = Context(self.family, number if asked and number and not inverted else None)
        matches = tuple(self.used(loaded, loaded.extension, context) for loaded in self.matches)
        fragment = self.base.get("fragment")
        rest = Rule(
            family=self.family,
            in_interface=self.interface("in-interface"),
            out_interface=self.interface("out-interface"),
            protocol=Protocol(number, inverted) if number else None,
            fragment=None if fragment is None else not fragment[1],
            matches=matches,
            target=self.reach(context),
        )
        sources = self.prefixes("source")
        destinations = self.prefixes("destination")
        return tuple(
            Rule(
                family=rest.family, source=source, destination=destination, in_interface=rest.in_interface,
                out_interface=rest.out_interface, protocol=rest.protocol, fragment=rest.fragment, matches=rest.matches,
                target=rest.target,
            )
            for source in sources
            for destination in destinations
        )  # fmt: skip

    def used(self, loaded: Loaded, extension: Extension | None, context: Context) -> Use | Verbatim:
        """What an extension makes of its options."""
        if extension is None:
            return Verbatim(loaded.name, tuple(loaded.words), tuple(loaded.raws))
        return extension.finish(loaded.given, context)

    def reach(self, context: Context) -> Jump | Use | Verbatim | None:
        """The target."""
        if not self.jump:
            return None
        loaded = self.target
        if loaded is None or (loaded.extension is None and not loaded.words):
            return Jump(self.jump, self.goto)
        return self.used(loaded, loaded.extension, context)

    def interface(self, name: str) -> Interface | None:
        """`-i +` matches everything and is not kept."""
        given = self.base.get(name)
        if given is None:
            return None
        pattern = interface(given[0])
        return None if pattern == "+" and not given[1] else Interface(pattern, given[1])

    def prefixes(self, name: str) -> tuple[Prefix | None, ...]:
        """Each address of a comma-separated list; the whole space is not kept."""
        given = self.base.get(name)
        if given is None:
            return (None,)
        words = given[0].split(",")
        if len(words) > 1 and given[1]:
            raise RuleError("`!` cannot stand before several addresses")
        found: list[Prefix | None] = []
        for word in words:
            value, mask = read_prefix(word, self.family)
            found.append(None if mask == 0 and not given[1] else Prefix(value, mask, given[1]))
        return tuple(found)
