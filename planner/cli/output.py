"""Where text goes: data to stdout, the rest to stderr; files whole or not at all."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from time import monotonic

from planner.errors import NetchangeError

SLOW = 1.0
"""Seconds after which progress is told."""
NARROW, WIDE, PLAIN = 40, 240, 80
"""Columns that a report needs, columns beyond which lines are hard to read, and those of a pipe."""
SPELLED = {"→": "->", "…": "...", "·": "-", "—": "-", "–": "-", "≥": ">=", "≤": "<=", "×": "x"}
"""Our own characters, for terminals that lack them; other people's are shown as escapes."""


def color_wanted() -> bool:
    """Colour only on a terminal, and never against NO_COLOR (no-color.org)."""
    return _is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns as `COLUMNS` says, else those of the terminal; 80 when there is none."""
    if not _is_terminal() and not os.environ.get("COLUMNS"):
        return PLAIN
    return min(WIDE, max(NARROW, shutil.get_terminal_size((PLAIN, 24)).columns))


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def print_text(text: str) -> None:
    """Text for people to stdout, in the encoding of the terminal."""
    encoding = (sys.stdout.encoding if sys.stdout is not None else "") or "utf-8"
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        for character, spelling in SPELLED.items():
            text = text.replace(character, spelling)
        data = text.encode(encoding, "backslashreplace")
    print_data(data)


def print_data(data: bytes) -> None:
    """Data for programs to stdout, the same octets in every locale. Who closes the pipe early (`| head`) has what he wants."""
    if sys.stdout is None:
        raise _not_printed("it is closed")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        silence()
    except OSError as trouble:
        silence()
        raise _not_printed(trouble.strerror or str(trouble)) from trouble


def _not_printed(reason: str) -> NetchangeError:
    return NetchangeError(
        reference="output-not-written",
        message=f"standard output could not be written: {reason}",
        hint="check where it is redirected to, and the space there",
    )


def silence() -> None:
    """What is still buffered for stdout goes nowhere: the interpreter would complain about it at its end."""
    if sys.stdout is None:
        return
    with suppress(OSError, ValueError):
        handle = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, handle)
        os.close(nowhere)


def note(text: str) -> None:
    """A line on stderr. Names in it were written by others: control characters are shown, not sent."""
    from planner.report.escape import visible

    if sys.stderr is None:
        return
    with suppress(OSError):
        sys.stderr.write(f"netchange: {visible(text)}\n")
        sys.stderr.flush()


def write(path: Path, data: bytes) -> None:
    """A file, whole or not at all."""
    from planner.collect.store import write_atomically

    write_atomically(path, data)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Tells on stderr that a stage is at work when it takes more than a second, and then how long it took."""
    start = monotonic()
    timer = Timer(SLOW, note, [f"{what} …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    elapsed = monotonic() - start
    if elapsed > SLOW:
        note(f"{what}: {elapsed:.1f} s")
