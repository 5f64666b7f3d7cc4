"""The kubelet's configuration: its file, the directory of additions, and the flags that outrank both."""

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from planner.errors import NetchangeError
from planner.models.node import ConfigFile
from planner.parse.documents import Value, as_object, load_either
from planner.parse.subnet_env import parse_env

CONFIG_PATHS = (
    "/var/lib/kubelet/config.yaml",
    "/etc/kubernetes/kubelet/config.json",
    "/etc/kubernetes/kubelet/kubelet-config.json",
    "/etc/kubernetes/kubelet-config.yaml",
    "/etc/kubernetes/kubelet-config.json",
    "/etc/kubernetes/kubelet.yaml",
)
"""kubeadm's, and those of EKS images; `--config` names another."""
FLAG_FILES = ("/var/lib/kubelet/kubeadm-flags.env", "/etc/default/kubelet", "/etc/sysconfig/kubelet")
"""Environment files in the order in which kubeadm's unit uses their variables."""
UNIT_DIRECTORIES = (
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/system",
    "/etc/systemd/system",
)
_FLAG_KEYS = {
    "allowed-unsafe-sysctls": "allowedUnsafeSysctls",
    "cluster-dns": "clusterDNS",
    "cluster-domain": "clusterDomain",
    "hairpin-mode": "hairpinMode",
    "make-iptables-util-chains": "makeIPTablesUtilChains",
    "max-pods": "maxPods",
    "pod-cidr": "podCIDR",
    "pod-manifest-path": "staticPodPath",
    "port": "port",
    "protect-kernel-defaults": "protectKernelDefaults",
    "read-only-port": "readOnlyPort",
    "resolv-conf": "resolvConf",
}
"""Flags that outrank a value of the file (kubernetes cmd/kubelet/app/options/options.go AddKubeletConfigFlags)."""
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class KubeletConfig:
    """What the kubelet acts on. None: nothing is set, the kubelet's own default holds."""

    path: str
    """The configuration file; empty when only flags are known."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """The file with its additions, every key kept."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Without their dashes; a flag without a value is `true`."""
    problems: tuple[str, ...] = ()

    def value(self, key: str) -> Value:
        """What counts for a key of the file, flags first."""
        for flag, name in _FLAG_KEYS.items():
            if name == key and flag in self.flags:
                return _flag_value(self.flags[flag], listed=key in {"clusterDNS", "allowedUnsafeSysctls"})
        return self.values.get(key)

    @property
    def cluster_dns(self) -> tuple[str, ...]:
        """Name servers of pods with the default DNS policy."""
        return self._texts("clusterDNS")

    @property
    def allowed_unsafe_sysctls(self) -> tuple[str, ...]:
        """Patterns that pods may set beyond the safe ones."""
        return self._texts("allowedUnsafeSysctls")

    @property
    def cluster_domain(self) -> str | None:
        """Search domain of the cluster."""
        return self._text("clusterDomain")

    @property
    def resolv_conf(self) -> str | None:
        """The file that pods' upstream name servers come from."""
        return self._text("resolvConf")

    @property
    def hairpin_mode(self) -> str | None:
        """promiscuous-bridge, hairpin-veth or none."""
        return self._text("hairpinMode")

    @property
    def pod_cidr(self) -> str | None:
        """Only without an API server."""
        return self._text("podCIDR")

    @property
    def static_pod_path(self) -> str | None:
        """Where static pods' manifests lie."""
        return self._text("staticPodPath")

    @property
    def protect_kernel_defaults(self) -> bool | None:
        """The kubelet refuses to start when a few sysctls are not as it wants them."""
        return self._switch("protectKernelDefaults")

    @property
    def make_iptables_util_chains(self) -> bool | None:
        """Whether the kubelet keeps its own chains (KUBE-MARK-DROP, KUBE-KUBELET-CANARY …)."""
        return self._switch("makeIPTablesUtilChains")

    @property
    def max_pods(self) -> int | None:
        """Pods on this node at most."""
        return self._number("maxPods")

    @property
    def port(self) -> int | None:
        """Where the API server and probes of the kubelet itself arrive; 10250 by default."""
        return self._number("port")

    @property
    def node_ip(self) -> str | None:
        """Address the node registers with."""
        return self.flags.get("node-ip")

    @property
    def network_plugin(self) -> str | None:
        """cni, kubenet or empty; before Kubernetes 1.24."""
        return self.flags.get("network-plugin")

    @property
    def cni_conf_dir(self) -> str | None:
        """Where dockershim looked for CNI configuration."""
        return self.flags.get("cni-conf-dir")

    def _text(self, key: str) -> str | None:
        value = self.value(key)
        return value if isinstance(value, str) else None

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self.value(key)
        return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()

    def _switch(self, key: str) -> bool | None:
        value = self.value(key)
        return value if isinstance(value, bool) else None

    def _number(self, key: str) -> int | None:
        value = self.value(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def kubelet_config(files: Mapping[str, ConfigFile]) -> KubeletConfig | None:
    """The kubelet's configuration on this node; None when neither a file nor flags of it are known."""
    problems: list[str] = []
    flags = _flags(files, problems)
    path = flags.get("config", "")
    if path not in files:
        path = next((each for each in CONFIG_PATHS if each in files), "")
    if not path and not flags:
        return None
    values = dict(_load(path, files, problems)) if path else {}
    for addition in _additions(path, flags, files):
        values = _merged(values, _load(addition, files, problems))
    return KubeletConfig(path, values, flags, tuple(problems))


def is_kubelet_path(path: str) -> bool:
    """Whether the file is one that a kubelet's configuration is usually read from."""
    return path in CONFIG_PATHS or _is_addition(path)


def _is_addition(path: str) -> bool:
    folder, name = posixpath.split(path)
    return name.endswith(".conf") and folder in {f"{each}.d" for each in CONFIG_PATHS}


def _additions(path: str, flags: Mapping[str, str], files: Mapping[str, ConfigFile]) -> Iterator[str]:
    """Files of the drop-in directory, by name (kubernetes docs, kubelet configuration drop-in directory: `--config-dir`)."""
    folder = flags.get("config-dir", f"{path}.d" if path else "").rstrip("/")
    for each in sorted(files):
        if folder and posixpath.dirname(each) == folder and each.endswith(".conf"):
            yield each


def _load(path: str, files: Mapping[str, ConfigFile], problems: list[str]) -> dict[str, Value]:
    """The first object of the file."""
    try:
        documents = load_either(files[path].text, name=path)
    except NetchangeError as error:
        problems.append(error.message)
        return {}
    if not documents:
        return {}
    problems.extend(documents[0].problems)
    if not isinstance(documents[0].value, dict):
        problems.append(f"`{path}` is not an object")
    return as_object(documents[0].value)


def _merged(below: dict[str, Value], above: dict[str, Value]) -> dict[str, Value]:
    """Objects are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        former = merged.get(key)
        merged[key] = (
            _merged(former, value) if isinstance(former, dict) and isinstance(value, dict) else value
        )
    return merged


def _flags(files: Mapping[str, ConfigFile], problems: list[str]) -> dict[str, str]:
    """Flags of the unit's command line, its variables filled in; without a unit those of the known variables."""
    variables: dict[str, str] = {}
    command = ""
    for path in _unit_files(files):
        for line in re.sub(r"\\\n", " ", files[path].text).split("\n"):
            key, _, value = line.strip().partition("=")
            if key == "Environment":
                for assignment in _words(value, path, problems):
                    name, _, setting = assignment.partition("=")
                    variables[name] = setting
            elif key == "ExecStart":
                command = value
    for path in FLAG_FILES:
        if path in files:
            variables.update(parse_env(files[path].text))
    if command:
        line = _VARIABLE.sub(lambda found: variables.get(found[1], ""), command)
        return parse_flags(_words(line, "ExecStart of the kubelet's unit", problems)[1:])
    flags: dict[str, str] = {}
    for name in ("KUBELET_KUBEADM_ARGS", "KUBELET_ARGS", "KUBELET_OPTS", "KUBELET_EXTRA_ARGS"):
        flags.update(parse_flags(_words(variables.get(name, ""), name, problems)))
    return flags


def _unit_files(files: Mapping[str, ConfigFile]) -> Iterator[str]:
    """The unit, then its drop-ins by name; /etc outranks /run outranks /usr (systemd.unit(5))."""
    units = [
        f"{folder}/kubelet.service" for folder in UNIT_DIRECTORIES if f"{folder}/kubelet.service" in files
    ]
    yield from units[-1:]
    additions: dict[str, str] = {}
    for folder in UNIT_DIRECTORIES:
        for path in sorted(files):
            parent, name = posixpath.split(path)
            if parent == f"{folder}/kubelet.service.d" and name.endswith(".conf"):
                additions[name] = path
    yield from (additions[name] for name in sorted(additions))


def _words(text: str, name: str, problems: list[str]) -> list[str]:
    words = split_words(text)
    if not words and text.strip():
        problems.append(f"`{name}`: a quotation mark is not closed")
    return words


def split_words(text: str) -> list[str]:
    """Words as a shell splits them; none when a quotation mark is not closed."""
    try:
        return shlex.split(text)
    except ValueError:
        return []


def parse_flags(words: list[str]) -> dict[str, str]:
    """`--name=value`, `--name value` and `--name`; the last one counts."""
    flags: dict[str, str] = {}
    rest = iter([*words, "--"])
    word = next(rest)
    for following in rest:
        if word.startswith("-") and word.strip("-"):
            name, equals, value = word.lstrip("-").partition("=")
            if equals:
                flags[name] = value
            elif following.startswith("-"):
                flags[name] = "true"
            else:
                flags[name] = following
        word = following
    return flags


def _flag_value(text: str, *, listed: bool) -> Value:
    if listed:
        return [part for part in text.split(",") if part]
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdecimal() and len(text) < 10 else text
