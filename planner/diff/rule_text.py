"""A rule's text: without its comment, and with the chain that it jumps to."""

import re
from collections.abc import Mapping

# The comment match holds for every packet (iptables-extensions(8), comment). What stands inside another quoted
# word, such as a log prefix, is no option and stays.
_COMMENT = re.compile(
    r'("(?:[^"\\]|\\.)*")'
    r"| -m comment(?= --comment )"
    r'| --comment (?:"(?:[^"\\]|\\.)*"|[^ "]+)(?= |$)'
)


def without_comment(rule: str) -> str:
    """The rule as packets feel it: two rules that differ in comments only are the same text afterwards."""
    if "--comment" not in rule:
        return rule
    if '\\"' not in rule and rule.count('"') == 2:
        # The usual case, without a regular expression: exactly one quoted word, and it is the comment.
        head, _, tail = rule.partition('-m comment --comment "')
        _, closed, rest = tail.partition('"')
        if closed and '"' not in head and (not head or head.endswith(" ")) and rest[:1] in {"", " "}:
            return head[:-1] + rest if head else rest[1:]
    return _COMMENT.sub(lambda found: found.group(1) or "", " " + rule)[1:]


def jump(rule: str) -> tuple[str, str]:
    """The rule up to and with `-j ` or `-g `, and the word after it when it ends the rule; the word is empty otherwise.

    A chain takes no options, so a jump to one is always the last thing that iptables-save prints.
    """
    head, _, last = rule.rpartition(" ")
    if head in {"-j", "-g"} or head.endswith((" -j", " -g")):
        return head + " ", last
    return rule, ""


def renamed(rules: tuple[str, ...], names: Mapping[str, str]) -> tuple[str, ...]:
    """The rules with jumps to the chains' new names."""
    if not names:
        return rules
    moved = []
    for rule in rules:
        head, chain = jump(rule)
        moved.append(head + names[chain] if chain in names else rule)
    return tuple(moved)
