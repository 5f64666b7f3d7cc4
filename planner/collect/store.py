"""Reading what the user named, and writing so that nothing is ever half-written."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from planner.errors import NetchangeError

LIMIT = 512 * 1024 * 1024
"""No single input is read beyond this many bytes."""
WRITER_WAIT = 2.0
"""Seconds in which somebody must have opened a pipe for writing that was named as an input."""
CHUNK = 1 << 20


def read_file(path: Path, *, limit: int = LIMIT) -> bytes:
    """The bytes of a file or pipe. Missing, a directory, a device, empty, unreadable, too large: one sentence that says so."""
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer that never comes (fifo(7)).
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = _read(handle, path, limit)
        finally:
            os.close(handle)
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise NetchangeError(
            reference="input-missing", message=f"`{path}` is no path: {error}", hint="check the path"
        ) from error
    if not data:
        raise NetchangeError(
            reference="input-empty",
            message=f"`{path}` is empty",
            hint="check that the command that wrote it succeeded",
        )
    return data


def _read(handle: int, path: Path, limit: int) -> bytes:
    """All of it. Directories and devices are refused, and what is too large before it fills the memory."""
    about = os.fstat(handle)
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError
    if stat.S_ISCHR(about.st_mode) or stat.S_ISBLK(about.st_mode):
        raise NetchangeError(
            reference="input-is-device",
            message=f"`{path}` is a device or terminal where a file is wanted",
            hint="name a file, or a pipe that another command writes to",
        )
    regular = stat.S_ISREG(about.st_mode)
    expected = about.st_size if regular else 0
    if expected > limit:
        raise _too_large(path, limit)
    parts: list[bytes] = []
    size = 0
    for part in _parts(handle, path, max(CHUNK, expected + 1), pipe=not regular):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _too_large(path, limit)
    return b"".join(parts)


def _too_large(path: Path, limit: int) -> NetchangeError:
    return NetchangeError(
        reference="input-too-large",
        message=f"`{path}` is larger than {limit // (1024 * 1024)} MiB, the limit for one input",
        hint="check that it is the file you meant",
    )


def _parts(handle: int, path: Path, size: int, *, pipe: bool) -> Iterator[bytes]:
    """What can be read, to its end. A pipe reads as empty before it has a writer, and would block once it has one (pipe(7))."""
    end = monotonic() + WRITER_WAIT
    while pipe:
        try:
            part = os.read(handle, size)
        except BlockingIOError:
            break
        if part:
            yield part
            break
        if monotonic() > end:
            raise NetchangeError(
                reference="input-no-writer",
                message=f"`{path}` is a pipe that nobody writes to",
                hint="start the command that writes to it first, and check that it prints something",
            )
        sleep(0.02)
    os.set_blocking(handle, True)
    while part := os.read(handle, size):
        yield part


def read_text(path: Path, *, limit: int = LIMIT) -> str:
    """The text of a file: UTF-8, with or without byte-order mark."""
    data = read_file(path, limit=limit)
    if b"\0" in data[:8192]:
        raise NetchangeError(
            reference="input-binary",
            message=f"`{path}` is not a text file",
            hint="unpack it first if it is compressed, and check that it is the file you meant",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise NetchangeError(
            reference="input-not-utf-8",
            message=f"`{path}` is not UTF-8: line {line} holds the byte 0x{data[error.start]:02x}",
            hint="convert it, for example with `iconv -f latin1 -t utf-8`",
        ) from error


def _unreadable(path: Path, error: OSError) -> NetchangeError:
    match error:
        case FileNotFoundError():
            return NetchangeError(
                reference="input-missing", message=f"`{path}` does not exist", hint="check the path"
            )
        case IsADirectoryError():
            return NetchangeError(
                reference="input-is-directory",
                message=f"`{path}` is a directory where a file is wanted",
                hint="name a file in it",
            )
        case NotADirectoryError():
            return NetchangeError(
                reference="input-missing",
                message=f"`{path}` does not exist: a part of its path is a file",
                hint="check the path",
            )
        case PermissionError():
            return NetchangeError(
                reference="input-unreadable",
                message=f"`{path}` may not be read by this user",
                hint="change its mode, or run as a user who may read it",
            )
        case _:
            return NetchangeError(
                reference="input-unreadable",
                message=f"`{path}` could not be read: {error.strerror or error}",
                hint="check the path and the disk",
            )


@dataclass(frozen=True, slots=True)
class Output:
    """What a file shall hold."""

    data: bytes
    private: bool = False
    """A new file is for its owner alone; one that exists keeps its mode."""
    executable: bool = False


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write all of it or nothing: a temporary file beside it, synchronised, then renamed over it.

    An existing file keeps its mode; a new one gets that of the umask, or 0600 when `private`. What is no regular file
    (`/dev/stdout`, a pipe) is written to directly.
    """
    write_together({path: Output(data, private=private)})


def write_together(files: Mapping[Path, Output]) -> None:
    """Write all these files or none: each is complete on the disk under another name before the first takes its place."""
    staged: list[tuple[str, Path]] = []
    path = Path()
    try:
        for path, output in files.items():
            mode = _mode(path, output)
            if mode is None:
                path.write_bytes(output.data)
            else:
                target = Path(os.path.realpath(path))
                staged.append((_stage(target, output.data, mode), target))
        for temporary, target in staged:
            Path(temporary).replace(target)
        for folder in sorted({target.parent for _, target in staged}):
            _synchronise(folder)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise NetchangeError(
            reference="output-not-written",
            message=f"`{path}` could not be written: {reason or error}",
            hint="nothing was changed; check the directory, its mode and the space on the disk",
        ) from error
    finally:
        # After a success nothing lies there any more.
        for temporary, _ in staged:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def _mode(path: Path, output: Output) -> int | None:
    """Mode of the file to be; None when it is not a regular file."""
    execute = 0o111 if output.executable else 0
    try:
        held = path.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o600 | execute & 0o100 if output.private else (0o666 | execute) & ~umask
    if stat.S_ISDIR(held.st_mode):
        raise IsADirectoryError(21, "it is a directory")
    return stat.S_IMODE(held.st_mode) | execute if stat.S_ISREG(held.st_mode) else None


def _stage(target: Path, data: bytes, mode: int) -> str:
    """A complete, synchronised file beside the target; its name."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    return temporary


def _synchronise(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
