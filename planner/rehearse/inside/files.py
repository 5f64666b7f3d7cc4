"""Files of a stage, read by process 1 itself: where there are a hundred to look for, a program for each would take longer."""

import glob
import os
import stat
from collections.abc import Iterable

Found = dict[str, str]
"""`text` of a regular file, where a `link` leads, `mode` in octal; `error` where it could not be read."""


def found(patterns: Iterable[str], paths: Iterable[str]) -> dict[str, Found]:
    """What is there of the paths, and of what matches a pattern of the shell, by path."""
    names = [path for pattern in patterns for path in glob.iglob(pattern)]  # noqa: PTH207 - paths are texts here
    return {path: one for path in sorted({*names, *paths}) if (one := _one(path)) is not None}


def _one(path: str) -> Found | None:
    try:
        own = os.lstat(path)
    except OSError:
        return None
    about: Found = {}
    try:
        if stat.S_ISLNK(own.st_mode):
            about["link"] = os.readlink(path)  # noqa: PTH115 - as above
            try:
                own = os.stat(path)  # noqa: PTH116 - the look at a link's target is the point
            except OSError:
                return about
        if stat.S_ISREG(own.st_mode):
            about["mode"] = f"{stat.S_IMODE(own.st_mode):o}"
            with open(path, "rb") as file:  # noqa: PTH123 - a path of the stage, as it was given
                about["text"] = file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        about["error"] = error.strerror or str(error)
    return about
