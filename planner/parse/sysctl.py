"""Running values of sysctls, as `sysctl -a` or `grep -r '' /proc/sys` print them."""

import re

from planner.models.source import Gap
from planner.sysctls.names import key_to_path, normalise_key, path_to_key
from planner.sysctls.numbers import normalise_value, same_value

__all__ = ["key_to_path", "normalise_key", "normalise_value", "parse_sysctl_values", "same_value"]

_COMPLAINT = re.compile(r"^(sysctl|grep|cat): ")
_HARMLESS = re.compile(r"stable_secret|/flush\b|\.flush\b|compact_memory|Is a directory|Input/output error")
"""Unset secrets answer EIO and triggers can only be written: not a loss."""


def parse_sysctl_values(text: str) -> tuple[dict[str, str], tuple[Gap, ...]]:
    """Values by canonical key, and what could not be read. Lines of one key are joined by a blank."""
    values: dict[str, list[str]] = {}
    gaps: list[Gap] = []
    for line in text.split("\n"):
        line = line.rstrip("\r")  # noqa: PLW2901
        if not line.strip():
            continue
        if _COMPLAINT.match(line):
            if not _HARMLESS.search(line):
                gaps.append(Gap(section="sysctl", reason=f"not readable: {line}"))
            continue
        if line.startswith("/proc/sys/"):
            path, found, value = line.partition(":")
            key = path_to_key(path)
        else:
            name, found, value = line.partition("=")
            key = normalise_key(name)
        if not found or not key or " " in key:
            gaps.append(Gap(section="sysctl", reason=f"line not understood: {line[:120]}"))
            continue
        values.setdefault(key, []).append(value)
    return {key: normalise_value(" ".join(parts)) for key, parts in sorted(values.items())}, tuple(gaps)
