"""Where text goes: data to stdout, the rest to stderr; files whole or not at all."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

SLOW = 1.0
"""Seconds after which progress is told."""


def color_wanted() -> bool:
    """Colour only on a terminal, and never against NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of the terminal; 80 when there is none."""
    return max(40, shutil.get_terminal_size((80, 24)).columns) if sys.stdout.isatty() else 80


def print_text(text: str) -> None:
    """Data to stdout; characters that its encoding lacks are replaced, never a crash."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def note(text: str) -> None:
    """A line on stderr."""
    sys.stderr.write(f"netchange: {text}\n")


def write(path: Path, data: bytes, *, executable: bool = False) -> None:
    """A file, whole or not at all."""
    from planner.collect.store import write_atomically

    write_atomically(path, data)
    if executable:
        path.chmod(0o755)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Tells on stderr how long a stage took, when it took more than a second."""
    start = monotonic()
    yield
    elapsed = monotonic() - start
    if elapsed > SLOW:
        note(f"{what}: {elapsed:.1f} s")
