"""One rule: from the words a person or a tool writes, to the words that iptables-save prints."""

from functools import lru_cache
from typing import assert_never

from planner.netfilter.extension import Use, Verbatim
from planner.netfilter.kinds import show_prefix
from planner.netfilter.names import protocol_name
from planner.netfilter.parts import Interface, Jump, Prefix, Protocol, Rule
from planner.netfilter.problem import RuleError
from planner.netfilter.registry import find_match, find_target
from planner.netfilter.words import split_raw

__all__ = [
    "Interface", "Jump", "Prefix", "Protocol", "Rule", "RuleError", "canonical", "canonical_rules", "emit_rule",
    "parse_rule", "parse_rules", "parse_words",
]  # fmt: skip


def parse_rules(text: str, family: str) -> tuple[Rule, ...]:
    """Every rule that a line makes: `-s a,b` makes two. The text is what stands after `-A CHAIN `."""
    words, raws = split_raw(text)
    return parse_words(words, family, raws=raws)


def parse_words(
    words: tuple[str, ...], family: str, *, raws: tuple[str, ...] | None = None
) -> tuple[Rule, ...]:
    """As `parse_rules`, from words that a shell or iptables-restore has split already."""
    from planner.netfilter.reader import Reader

    return Reader(family, words, words if raws is None else raws).rules()


@lru_cache(maxsize=32768)
def parse_rule(text: str, family: str) -> Rule:
    """The one rule that a text is. Raises `RuleError` for what iptables would refuse."""
    rules = parse_rules(text, family)
    if len(rules) != 1:
        raise RuleError(f"the text makes {len(rules)} rules, one for each address")
    return rules[0]


def emit_rule(rule: Rule) -> str:
    """What iptables-save prints after `-A CHAIN `: addresses, links, protocol, fragment, matches, target."""
    family = rule.family
    parts: list[str] = []
    for letter, prefix in (("s", rule.source), ("d", rule.destination)):
        if prefix is not None:
            sign = "! " if prefix.inverted else ""
            parts.append(f"{sign}-{letter} {show_prefix((prefix.value, prefix.mask), family)}")
    for letter, link in (("i", rule.in_interface), ("o", rule.out_interface)):
        if link is not None:
            parts.append(f"{'! ' if link.inverted else ''}-{letter} {link.pattern}")
    if rule.protocol is not None:
        parts.append(f"{'! ' if rule.protocol.inverted else ''}-p {protocol_name(rule.protocol.number)}")
    if rule.fragment is not None:
        parts.append("-f" if rule.fragment else "! -f")
    parts.extend(emit_match(used, family) for used in rule.matches)
    if rule.target is not None:
        parts.append(emit_target(rule.target, family))
    return " ".join(parts)


def emit_match(used: Use | Verbatim, family: str) -> str:
    """`-m name options`."""
    match used:
        case Verbatim(extension=name, raws=raws):
            return " ".join(("-m", name, *raws))
        case Use(extension=name):
            extension = find_match(name)
            if extension is None:  # pragma: no cover
                raise KeyError(name)
            return extension.text(used, family)
        case _:
            assert_never(used)


def emit_target(target: Jump | Use | Verbatim, family: str) -> str:
    """`-j name options` or `-g chain`."""
    match target:
        case Jump(chain=chain, goto=goto):
            return f"{'-g' if goto else '-j'} {chain}"
        case Verbatim(extension=name, raws=raws):
            return " ".join(("-j", name, *raws))
        case Use(extension=name):
            extension = find_target(name)
            if extension is None:  # pragma: no cover
                raise KeyError(name)
            return extension.text(target, family)
        case _:
            assert_never(target)


@lru_cache(maxsize=32768)
def canonical(text: str, family: str) -> str:
    """The text as iptables-save would print it. Raises `RuleError`."""
    return emit_rule(parse_rule(text, family))


def canonical_rules(text: str, family: str) -> tuple[str, ...]:
    """As `canonical`, for texts that make several rules."""
    return tuple(emit_rule(rule) for rule in parse_rules(text, family))
