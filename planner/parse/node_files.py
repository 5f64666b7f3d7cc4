"""Persisted files of a node, from their sections: content, target of a link, mode."""

from planner.models.node import ConfigFile
from planner.parse.sections import Sections, why_not


def read_files(found: Sections) -> dict[str, ConfigFile]:
    """Files by absolute path. One that is there and could not be read is a gap `files/…`, as is its directory."""
    modes = _modes(found.quiet("modes") or "")
    files: dict[str, ConfigFile] = {}
    for path, section in found.under("file"):
        if not path.startswith("/"):
            continue
        if not section.usable:
            found.gap(f"files{path}", why_not(section), source=path)
        else:
            files[path] = ConfigFile(text=section.text, mode=modes.get(path, ""))
    for path, section in found.under("link"):
        if not path.startswith("/"):
            continue
        if not section.usable:
            found.gap(f"files{path}", f"its target is not known: {why_not(section)}", source=path)
            continue
        target = section.text.rstrip("\n")
        held = files.get(path, ConfigFile())
        files[path] = held.model_copy(update={"link_to": target})
    return dict(sorted(files.items()))


def _modes(text: str) -> dict[str, str]:
    """`stat -c '%a %n'`: 0644."""
    pairs = (line.partition(" ") for line in text.splitlines())
    return {path: mode.rjust(4, "0") for mode, _, path in pairs if mode.isdecimal() and path}
