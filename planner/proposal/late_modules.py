"""Keys of kernel modules that are not loaded yet when the files of sysctl.d are read at boot."""

import re
from collections.abc import Iterator, Mapping

from planner.models.node import ConfigFile, NodeState
from planner.sysctls.catalogue import lookup

LISTS = re.compile(r"/(?:etc|run|usr/local/lib|usr/lib|lib)/modules-load\.d/[^/]+\.conf|/etc/modules")
PULLED_BY = {
    "nf_conntrack": ("nf_", "xt_", "nft_", "ip_vs", "iptable_nat", "ip6table_nat", "openvswitch"),
    "ip_vs": ("ip_vs_",),
}
"""Beginnings of modules that may need the module and so load it (modules.dep); rather too many than too few."""


def late_module(key: str, state: NodeState, files: Mapping[str, ConfigFile]) -> str:
    """The module that brings the key and that nothing known loads before systemd-sysctl; empty when there is none.

    systemd-sysctl runs after systemd-modules-load and skips keys that are not there (systemd-sysctl.service(8),
    sysctl.d(5)). A module that is built in is not listed in /proc/modules; without any list among the files nothing is said.
    """
    fact = lookup(key)
    module = fact.module if fact is not None else ""
    if not module or module not in state.modules or not any(LISTS.fullmatch(path) for path in files):
        return ""
    pullers = PULLED_BY.get(module, ())
    return "" if any(name == module or name.startswith(pullers) for name in _listed(files)) else module


def _listed(files: Mapping[str, ConfigFile]) -> Iterator[str]:
    """Names in modules-load.d(5): one a line, `-` and `_` are the same, options may follow in /etc/modules."""
    for path, file in files.items():
        if LISTS.fullmatch(path):
            for line in file.text.splitlines():
                words = line.split()
                if words and not words[0].startswith(("#", ";")):
                    yield words[0].replace("-", "_")
