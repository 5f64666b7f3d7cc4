"""A rule: read from its words, put into the form in which nft keeps it, and what of it is not known."""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.nft.canonical import settle
from planner.nft.problem import NotReadError, RefusedError
from planner.nft.statements import Statement, read_statement
from planner.nft.tokens import Cursor, SyntaxMistakeError, Token, joined
from planner.nft.words import rule_text

TERMINAL = frozenset(
    {
        "accept",
        "drop",
        "return",
        "continue",
        "jump",
        "goto",
        "reject",
        "dnat",
        "snat",
        "masquerade",
        "redirect",
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as the kernel would keep it."""

    text: str
    """The line that `nft list ruleset` prints; as written where it is not wholly known."""
    expr: tuple[Statement, ...]
    """Its JSON form; `unread` stands for statements that are not known."""
    comment: str = ""
    unread: str = ""
    """The words that are not known."""
    refused: str = ""
    """Why nft would refuse it."""
    line: int = 0


def read_rule(tokens: Sequence[Token], family: str) -> Rule:
    """A rule of a table of that family. What is not known becomes an `unread` statement, never an error."""
    cursor = Cursor(tokens)
    line = tokens[0].line if tokens else 0
    found: list[Statement] = []
    comment = unread = ""
    try:
        while not cursor.done:
            start = cursor.at
            if cursor.accept("comment"):
                comment = cursor.take().text
                continue
            try:
                found.append(_next(cursor, family, found))
            except (NotReadError, SyntaxMistakeError):
                cursor.at = start
                unread = joined(cursor.rest())
                found.append({"unread": unread})
        settled = settle(found, family)
        text = rule_text(settled, "" if unread else comment)
    except RefusedError as error:
        return Rule(joined(tokens), ({"unread": joined(tokens)},), comment, "", str(error), line)
    except NotReadError:
        return Rule(joined(tokens), ({"unread": joined(tokens)},), comment, joined(tokens), "", line)
    return Rule(text, tuple(for_json(one) for one in settled), comment, unread, "", line)


def _next(cursor: Cursor, family: str, before: Sequence[Statement]) -> Statement:
    if before and before[-1].keys() & TERMINAL:
        raise RefusedError("a statement after one that ends the rule has no effect")
    return read_statement(cursor, family)


def for_json(one: Statement) -> Statement:
    """Without what only tells how it is printed."""
    reject = one.get("reject")
    if isinstance(reject, dict) and "silent" in reject:
        return {"reject": {name: value for name, value in reject.items() if name != "silent"}}
    return one


def targets(statements: Sequence[Statement]) -> frozenset[str]:
    """Chains that the rule leads to, in maps too."""
    return frozenset(_targets(list(statements)))


def _targets(part: object) -> set[str]:
    found: set[str] = set()
    if isinstance(part, dict):
        for name, body in part.items():
            if name in {"jump", "goto"} and isinstance(body, dict) and isinstance(body.get("target"), str):
                found.add(body["target"])
            else:
                found |= _targets(body)
    elif isinstance(part, list):
        for one in part:
            found |= _targets(one)
    return found


def links_of(statements: Sequence[Statement]) -> frozenset[str]:
    """Links that `iif` and `oif` name: nft looks up their numbers when it reads the rule."""
    found: set[str] = set()
    for one in statements:
        match one.get("match"):
            case {"left": {"meta": {"key": "iif" | "oif"}}, "right": str(name)}:
                found.add(name)
            case {"left": {"meta": {"key": "iif" | "oif"}}, "right": {"set": [*names]}}:
                found.update(str(name) for name in names)
            case _:
                pass
    return frozenset(found)


def named_sets(statements: Sequence[Statement]) -> frozenset[str]:
    """Sets and maps that the rule names."""
    return frozenset(_sets(list(statements)))


def _sets(part: object) -> set[str]:
    if isinstance(part, str):
        return {part[1:]} if part.startswith("@") else set()
    found: set[str] = set()
    parts = list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []
    for one in parts:
        found |= _sets(one)
    return found
