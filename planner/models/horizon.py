"""When something shows: the horizons at which an after-state exists."""

from enum import IntEnum


class Horizon(IntEnum):
    """Ordered: a finding bites at the first horizon where it shows.

    At each horizon a `NodeState` says what the node would be *then*, and its `files` are as the programs that read
    them act on them then: a new CNI file shows from NEW_PODS on, a kubelet file from SERVICE_RESTART on, sysctl.d files at REBOOT.
    """

    NOW = 0
    """What applying does to the running kernel."""
    NEW_PODS = 1
    """The next pod that starts: conf.default, CNI configuration."""
    SERVICE_RESTART = 2
    """kubelet, runtime, kube-proxy, CNI agent and firewall services read their files again."""
    REBOOT = 3
    """What is persisted, plus what each owner re-creates."""

    @property
    def words(self) -> str:
        """For people."""
        return {0: "at once", 1: "for new pods", 2: "when services restart", 3: "at the next reboot"}[
            self.value
        ]
