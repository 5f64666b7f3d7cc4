"""CNI network configurations, in the order and with the strictness of the programs that load them."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from planner.errors import NetchangeError
from planner.models.node import ConfigFile
from planner.models.source import Gap, Source
from planner.parse.documents import Value, load_json

DIRECTORY = "/etc/cni/net.d"
EXTENSIONS = (".conf", ".conflist", ".json")
LARGEST = 2 * 1024 * 1024
"""containerd refuses larger files (github.com/containerd/go-cni opts.go, MaxFileSize)."""


@dataclass(frozen=True, slots=True)
class CniPlugin:
    """One plugin of a chain."""

    type: str
    options: Mapping[str, Value]
    """Its whole object, `type` included."""


@dataclass(frozen=True, slots=True)
class CniNetwork:
    """One network: a list, or a single plugin's file taken as a list of one."""

    path: str
    name: str
    version: str
    """The highest of `cniVersion` and `cniVersions`; empty when neither is there, which means 0.1.0."""
    plugins: tuple[CniPlugin, ...]
    disable_check: bool = False
    problems: tuple[str, ...] = ()

    def plugin(self, kind: str) -> CniPlugin | None:
        """The first plugin of that type."""
        return next((plugin for plugin in self.plugins if plugin.type == kind), None)


class _RefusedError(Exception):
    """The file is not a network configuration; the text says why."""


def load_cni(
    files: Mapping[str, ConfigFile], *, directory: str = DIRECTORY
) -> tuple[tuple[CniNetwork, ...], tuple[Gap, ...]]:
    """Every usable network in the order of its file's name, and a gap for each file that is refused.

    The order is that of the whole path, byte by byte, over three extensions (kubernetes 1.20
    pkg/kubelet/dockershim/network/cni/cni.go getDefaultCNINetwork; go-cni opts.go loadFromConfDir).
    """
    networks: list[CniNetwork] = []
    gaps: list[Gap] = []
    for path in _candidates(files, directory):
        text = files[path].text
        try:
            networks.append(_network(path, text, files))
        except (_RefusedError, NetchangeError) as error:
            first = not networks
            gaps.append(
                Gap(section=f"files{path}", reason=_refusal(error, first=first), source=Source(name=path))
            )
    return tuple(networks), tuple(gaps)


def active_cni(files: Mapping[str, ConfigFile], *, directory: str = DIRECTORY) -> CniNetwork | None:
    """The network that new pods get: the first that can be used. containerd uses none while a refused file precedes it."""
    networks, _ = load_cni(files, directory=directory)
    return networks[0] if networks else None


def is_cni_path(path: str, *, directory: str = DIRECTORY) -> bool:
    """Whether the file is one that a runtime looks at: directly in the directory, by extension; hidden ones too."""
    folder, name = posixpath.split(path)
    return folder == directory and posixpath.splitext(name.lstrip("."))[1] in EXTENSIONS


def _candidates(files: Mapping[str, ConfigFile], directory: str) -> list[str]:
    return sorted(
        (
            path
            for path in files
            if is_cni_path(path, directory=directory) and files[path].link_to != "/dev/null"
        ),
        key=lambda path: path.encode("utf-8", "surrogateescape"),
    )


def _refusal(error: Exception, *, first: bool) -> str:
    """Why, and what the runtimes make of it."""
    reason = error.message if isinstance(error, NetchangeError) else str(error)
    # dockershim and CRI-O (ocicni) warn and go on; go-cni's loadFromConfDir returns the error, so that containerd
    # keeps what it had, or has no network after a restart. Behind the first good file containerd does not look.
    outcome = (
        "CRI-O and dockershim skip the file, containerd loads no network at all while it comes first"
        if first
        else "it is not reached, because a usable file precedes it"
    )
    return f"not a usable CNI configuration: {reason}; {outcome}"


def _network(path: str, text: str, files: Mapping[str, ConfigFile]) -> CniNetwork:
    """The network of one file (github.com/containernetworking/cni libcni/conf.go)."""
    if len(text) > LARGEST:
        raise _RefusedError(f"it has {len(text)} characters, more than containerd reads")
    document = load_json(text, name=path)
    value = document.value
    if not isinstance(value, dict):
        raise _RefusedError("it is not a JSON object")
    problems = list(document.problems)
    if not path.endswith(".conflist"):
        plugin = _plugin(value, "the file")
        name = value.get("name", "")
        if not isinstance(name, str):
            raise _RefusedError("`name` is not a text")
        return CniNetwork(path, name, _version(value), (plugin,), problems=tuple(problems))
    name = value.get("name")
    if not isinstance(name, str):
        raise _RefusedError("`name` is missing" if name is None else "`name` is not a text")
    version = _version(value)
    disable_check = _switch(value, "disableCheck")
    _switch(value, "disableGC")
    inlined_only = _switch(value, "loadOnlyInlinedPlugins")
    plugins: list[CniPlugin] = []
    if "plugins" in value:
        listed = value["plugins"]
        if not isinstance(listed, list) or not listed:
            raise _RefusedError("`plugins` is empty" if listed == [] else "`plugins` is not a list")
        plugins = [_plugin(each, f"plugin {number}") for number, each in enumerate(listed, start=1)]
    elif inlined_only:
        raise _RefusedError("`loadOnlyInlinedPlugins` is set and `plugins` is missing")
    if not inlined_only:
        aside = list(_plugins_aside(posixpath.join(posixpath.dirname(path), name), files))
        if aside:
            problems.append(
                f"`{path}`: plugins of the directory `{name}` are read by libcni 1.3 and later only"
            )
        plugins += aside
    if not plugins:
        raise _RefusedError("`plugins` is missing")
    return CniNetwork(path, name, version, tuple(plugins), disable_check, tuple(problems))


def _plugins_aside(folder: str, files: Mapping[str, ConfigFile]) -> Iterator[CniPlugin]:
    """Plugins in files of their own, in a directory with the network's name."""
    for path in sorted(files):
        if posixpath.dirname(path) == folder and path.endswith(".conf"):
            yield _plugin(load_json(files[path].text, name=path).value, f"`{path}`")


def _plugin(value: Value, what: str) -> CniPlugin:
    if not isinstance(value, dict):
        raise _RefusedError(f"{what} is not a JSON object")
    kind = value.get("type", "")
    if not isinstance(kind, str):
        raise _RefusedError(f"`type` of {what} is not a text")
    if not kind:
        hint = "; a list belongs in a .conflist" if "plugins" in value else ""
        raise _RefusedError(f"{what} has no `type`{hint}")
    return CniPlugin(kind, value)


def _version(value: dict[str, Value]) -> str:
    version = value.get("cniVersion", "")
    if not isinstance(version, str):
        raise _RefusedError("`cniVersion` is not a text")
    several = value.get("cniVersions", [])
    if not isinstance(several, list) or not all(isinstance(each, str) for each in several):
        raise _RefusedError("`cniVersions` is not a list of texts")
    return max([version, *(each for each in several if isinstance(each, str))], key=_version_order)


def _version_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))


def _switch(value: dict[str, Value], key: str) -> bool:
    """A boolean, which libcni also takes as a word."""
    given = value.get(key, False)
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in {"true", "false"}:
        return given.lower() == "true"
    raise _RefusedError(f"`{key}` is neither true nor false")
