"""The wanted files of a directory or tar archive, in memory: nothing is unpacked to disk, no link leads out.

Limits: no wanted file above 64 MiB (it becomes unreadable, with the reason), all of them below 512 MiB, an archive below
8 GiB unpacked, 2 million members or directory entries. Beyond these it is refused: nothing of this size describes a node.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from planner.errors import NetchangeError

FILE_LIMIT = 64 * 1024 * 1024
TOTAL_LIMIT = 512 * 1024 * 1024
ARCHIVE_LIMIT = 8 * 1024 * 1024 * 1024
MEMBER_LIMIT = 2_000_000
LINKS_FOLLOWED = 40
"""As many as Linux follows (path_resolution(7))."""

Predicate = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a symbolic link, or something that could not be read."""

    data: bytes = b""
    target: str = ""
    """Of a symbolic link."""
    trouble: str = ""
    """Why the content is not known."""
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """Wanted files by path, relative to the root, with `/`."""

    entries: dict[str, Entry]

    def read(self, path: str) -> Entry | None:
        """The entry that a path leads to, links followed inside the tree only, as after chroot(2)."""
        parts = [part for part in path.split("/") if part not in {"", "."}]
        reached: list[str] = []
        followed = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                reached = reached[:-1]
                continue
            entry = self.entries.get("/".join([*reached, part]))
            if entry is None or not entry.target:
                reached.append(part)
                continue
            followed += 1
            if followed > LINKS_FOLLOWED:
                return Entry(trouble="a loop of symbolic links")
            if entry.target.startswith("/"):
                reached = []
            parts = [step for step in entry.target.split("/") if step not in {"", "."}] + parts
        return self.entries.get("/".join(reached))

    def link(self, path: str) -> str:
        """Target when the path itself is a symbolic link, else empty."""
        entry = self.entries.get(path)
        return entry.target if entry else ""

    def under(self, root: str) -> "Tree":
        """The part below a directory."""
        if not root:
            return self
        prefix = f"{root}/"
        return Tree(
            {path[len(prefix) :]: entry for path, entry in self.entries.items() if path.startswith(prefix)}
        )


def read_directory(root: Path, wanted: Predicate) -> Tree:
    """Wanted files below a directory. Links are recorded, not followed; devices and pipes are never opened."""
    entries: dict[str, Entry] = {}
    total = seen = 0
    for directory, names, files in os.walk(root, onerror=None, followlinks=False):
        names.sort()
        for name in sorted((*files, *names)):
            seen += 1
            if seen > MEMBER_LIMIT:
                refuse(root, "bundle-too-large", f"holds more than {MEMBER_LIMIT:,} files")
            path = Path(directory, name)
            inside = path.relative_to(root).as_posix()
            if not wanted(inside):
                continue
            entry = _entry(path)
            if entry is not None:
                entries[inside] = entry
                total += len(entry.data)
            if total > TOTAL_LIMIT:
                refuse(root, "bundle-too-large", f"holds more than {TOTAL_LIMIT >> 20} MiB of wanted files")
    return Tree(entries)


def _entry(path: Path) -> Entry | None:
    """What a directory holds under that name; None for a directory."""
    try:
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode):
            return Entry(target=str(path.readlink()))
        if stat.S_ISDIR(about.st_mode):
            return None
        if not stat.S_ISREG(about.st_mode):
            return Entry(trouble="a device, pipe or socket, which is not opened")
        if about.st_size > FILE_LIMIT:
            return Entry(trouble=too_large(about.st_size))
        # Between lstat and open it may have become something else: neither follow a link nor wait for a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        return Entry(trouble=f"not readable: {error.strerror or error}")
    if len(data) > FILE_LIMIT:
        return Entry(trouble=too_large(len(data)))
    return Entry(data=data, mode=f"{stat.S_IMODE(about.st_mode):04o}")


def too_large(size: int) -> str:
    """Why a file of that size is not read."""
    return f"{size >> 20} MiB, more than the {FILE_LIMIT >> 20} MiB that are read of one file"


def refuse(
    path: Path, reference: str, message: str, *, hint: str = "", cause: BaseException | None = None
) -> NoReturn:
    """Refuse the bundle as a whole."""
    hint = hint or "check that it describes nodes, and take out what does not"
    raise NetchangeError(reference=reference, message=f"`{path}` {message}", hint=hint) from cause
