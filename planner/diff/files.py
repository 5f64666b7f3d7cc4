"""Persisted files: different text, and whether it means something different to the program that reads it."""

import posixpath
from collections.abc import Callable, Iterator

from planner.diff.rules import diff_rulesets
from planner.diff.unread import unread
from planner.models.change import FileChange
from planner.models.node import ConfigFile, NodeState
from planner.models.ruleset import Family
from planner.parse.sysctl_d import DIRECTORIES, LAST, read_sysctl_file

_RESTORED: dict[str, Family] = {
    "/etc/iptables/rules.v4": "ip",
    "/etc/sysconfig/iptables": "ip",
    "/etc/iptables/rules.v6": "ip6",
    "/etc/sysconfig/ip6tables": "ip6",
}


def diff_files(before: NodeState, after: NodeState, *, kind: Callable[[str], str]) -> Iterator[FileChange]:
    """Changes by path, of the files that have no `kind` of document."""
    for path, former, latter in differing_files(before, after):
        if not kind(path):
            yield file_change(after.name, path, former, latter)


def differing_files(before: NodeState, after: NodeState) -> Iterator[tuple[str, str | None, str | None]]:
    """Path and both texts of every file whose text differs, by path; None where it is absent."""
    for path in sorted({*before.files, *after.files}):
        former, latter = before.files.get(path), after.files.get(path)
        if former == latter:
            continue
        section = f"files{path}"
        if (former is None and unread(before, after, section)) or (
            latter is None and unread(after, before, section)
        ):
            continue
        texts = _shown(former), _shown(latter)
        if texts[0] != texts[1]:
            yield path, *texts


def file_change(node: str, path: str, before: str | None, after: str | None) -> FileChange:
    """The change of a file that is compared as text."""
    same = before is not None and after is not None and _same_meaning(path, before, after)
    return FileChange(node=node, path=path, before=before, after=after, equivalent=same)


def _shown(file: ConfigFile | None) -> str | None:
    """Its text; of a link without text, where it leads."""
    if file is None:
        return None
    return f"symbolic link to {file.link_to}\n" if file.link_to and not file.text else file.text


def _same_meaning(path: str, before: str, after: str) -> bool:
    """Whether the program that reads the file finds the same in both."""
    folder = posixpath.dirname(path)
    if path == LAST or (folder in DIRECTORIES and path.endswith(".conf")):
        return _assignments(path, before) == _assignments(path, after)
    if path in _RESTORED:
        return _same_rules(_RESTORED[path], before, after)
    return False


def _assignments(path: str, text: str) -> list[tuple[str, str | None, bool]]:
    """What the file sets. Its order counts only where lines may be about the same key."""
    lines = [
        (line.key, None if line.value is None else " ".join(line.value.split()), line.tolerate)
        for line in read_sysctl_file(text, path=path).lines
    ]
    keys = [key for key, _, _ in lines]
    distinct = len(set(keys)) == len(keys) and not any(set("*?[") & set(key) for key in keys)
    return sorted(lines, key=lambda line: line[0]) if distinct else lines


def _same_rules(family: Family, before: str, after: str) -> bool:
    """Whether both load as the same rules; what cannot be read is not the same as anything."""
    from planner.parse.iptables_save import parse_iptables_save

    states = []
    for text in (before, after):
        ruleset, gaps = parse_iptables_save(text, family=family, backend="nft", tool="", name="file")
        if gaps or text.startswith("symbolic link"):
            return False
        states.append(NodeState(name="file", rulesets=(ruleset,)))
    return next(diff_rulesets(*states), None) is None
