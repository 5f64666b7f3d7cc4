"""Lines of nft files: a table that is new is one change, and each of its rules stands on a line of its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from re import compile as pattern

from planner.models.change import NativeObjectChange, NativeTableChange
from planner.models.finding import Finding
from planner.models.proposal import Effect
from planner.models.source import Source

RULE = pattern(r"nft/(?P<table>\S+ \S+)/chain/(?P<chain>[^/]+)(?:/(?P<rule>.*))?")


@dataclass(frozen=True, slots=True)
class RuleLines:
    """Words in which a decision by nft is told, with the line that they come from."""

    by_words: Mapping[str, Source]

    def of(self, text: str) -> Source | None:
        """The line of what a sentence says that decides; None where it names nothing of the proposal."""
        told = text.casefold()
        found = [words for words in self.by_words if words.casefold() in told]
        return self.by_words[max(found, key=len)] if found else None


def rule_lines(effects: Iterable[Effect]) -> RuleLines:
    """What the effects of a proposal tell of rules and chains of nft."""
    return RuleLines(dict(_words(effects)))


def _words(effects: Iterable[Effect]) -> Iterator[tuple[str, Source]]:
    for effect in effects:
        found = RULE.fullmatch(effect.what) if effect.what.startswith("nft/") else None
        if found is None or effect.source is None:
            continue
        where = f"{found['table']} {found['chain']}"
        if found["rule"]:
            yield f"{where}: {found['rule']}", effect.source
        else:
            yield f"policy DROP of {where}", effect.source


def with_lines(findings: Iterable[Finding], effects: Iterable[Effect]) -> tuple[Finding, ...]:
    """The findings, those about a whole table or chain with the line of the rule that they tell of."""
    kept = tuple(findings)
    if not any(isinstance(finding.change, NativeTableChange | NativeObjectChange) for finding in kept):
        return kept
    lines = rule_lines(effects)
    return tuple(_placed(finding, lines) for finding in kept)


def _placed(finding: Finding, lines: RuleLines) -> Finding:
    if finding.source is not None or not isinstance(finding.change, NativeTableChange | NativeObjectChange):
        return finding
    source = lines.of(finding.message)
    return finding if source is None else finding.model_copy(update={"source": source})
