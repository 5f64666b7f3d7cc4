"""Reading what the user named, and writing so that nothing is ever half-written."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from planner.errors import NetchangeError

LIMIT = 512 * 1024 * 1024
"""No single input is read beyond this many bytes."""


def read_file(path: Path, *, limit: int = LIMIT) -> bytes:
    """The bytes of a file. Missing, a directory, empty, unreadable or too large: one sentence that says so."""
    try:
        with path.open("rb") as file:
            if stat.S_ISDIR(os.fstat(file.fileno()).st_mode):  # pragma: no cover
                raise IsADirectoryError
            data = file.read(limit + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not data:
        raise NetchangeError(
            reference="input-empty",
            message=f"`{path}` is empty",
            hint="check that the command that wrote it succeeded",
        )
    if len(data) > limit:
        raise NetchangeError(
            reference="input-too-large",
            message=f"`{path}` is larger than {limit // (1024 * 1024)} MiB, the limit for one input",
            hint="check that it is the file you meant",
        )
    return data


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


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write all of it or nothing: a temporary file beside it, synchronised, then renamed over it.

    An existing file keeps its mode; a new one gets that of the umask, or 0600 when `private`. What is no regular file
    (`/dev/stdout`, a pipe) is written to directly.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = _mode(target, private=private)
        if mode is None:
            target.write_bytes(data)
            return
        _replace(target, data, mode)
    except OSError as error:
        raise NetchangeError(
            reference="output-not-written",
            message=f"`{path}` could not be written: {error.strerror or error}",
            hint="nothing was changed; check the directory, its mode and the space on the disk",
        ) from error


def _mode(target: Path, *, private: bool) -> int | None:
    """Mode of the file to be; None when it is not a regular file."""
    try:
        held = target.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o600 if private else 0o666 & ~umask
    if stat.S_ISDIR(held.st_mode):
        raise IsADirectoryError(21, "it is a directory")
    return stat.S_IMODE(held.st_mode) if stat.S_ISREG(held.st_mode) else None


def _replace(target: Path, data: bytes, mode: int) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
