"""Files of which a collector has masked the secrets: how they are compared without them, and taken back with them."""

import re
from collections.abc import Iterator

from planner.emit.script import quote
from planner.models.node import MASK, ConfigFile
from planner.models.plan import Action
from planner.plan.checks_rules import sed_literal

SAVED = "the copy that apply.sh has saved"
"""In the place of the text of a file whose secrets nobody here knows."""


def is_masked(file: ConfigFile | None) -> bool:
    """Whether the recorded text is not the file's own."""
    return file is not None and not file.link_to and MASK in file.text


def reader(path: str, file: ConfigFile) -> str:
    """Prints the live file as the collector would have recorded it: what stands in the place of a secret is masked."""
    program = "\n".join(
        f"{number}s/^{'.*'.join(map(sed_literal, pieces))}$/{_replaced(pieces)}/"
        for number, pieces in _lines(file.text)
    )
    return f"sed -e {quote(program)} {quote(path)}"


def seen(text: str, file: ConfigFile) -> str:
    """What `reader` prints of another text."""
    lines = text.split("\n")
    for number, pieces in _lines(file.text):
        if number <= len(lines) and re.fullmatch(".*".join(map(re.escape, pieces)), lines[number - 1]):
            lines[number - 1] = MASK.join(pieces)
    return "\n".join(lines)


def restore_saved(path: str, mode: str) -> Action:
    """Puts back the copy that was saved before the first step: the recorded text would write the mask."""
    return Action(argv=("install", "-D", *(("-m", mode) if mode else ()), SAVED, path))


def words(path: str) -> str:
    """What the plan says of it."""
    return (
        f"the record of {path} holds {MASK} where the file has a secret: the rollback puts back the copy that apply.sh saves "
        "before the first step (before/files in its state directory), never the record; keep a copy of your own"
    )


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if MASK in line:
            yield number, line.split(MASK)


def _replaced(pieces: list[str]) -> str:
    return MASK.join(piece.replace("\\", "\\\\").replace("/", "\\/").replace("&", "\\&") for piece in pieces)
