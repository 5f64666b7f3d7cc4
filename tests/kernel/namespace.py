"""Throw-away network namespaces for tests: they belong to a process and die with it."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

TOOLS = ("unshare", "nsenter", "ip", "iptables-nft", "iptables-legacy", "nft", "ipset", "conntrack")
HOLD = "mount -t sysfs sysfs /sys 2>/dev/null; mount -t tmpfs tmpfs /run; ip link set lo up; echo ready; exec cat"


def missing() -> str:
    """Why kernel tests cannot run here, or an empty string."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"tools missing: {', '.join(absent)}"
    probe = subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False
    )
    return "" if probe.returncode == 0 else f"no namespaces: {probe.stderr.strip()}"


class Namespace:
    """One node: its own network, mount and process namespace, `/run` private, `/sys` remounted."""

    def __enter__(self) -> Self:
        self._holder = subprocess.Popen(
            [
                "unshare",
                "--uts",
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-c",
                HOLD,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self.pid = int(children.read_text().split()[0])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.kill()
        self._holder.communicate()

    def enter(self) -> list[str]:
        """Command prefix that runs what follows inside."""
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--uts", "--pid"]

    def wire(self, link: str, other: "Namespace", peer: str, *options: str) -> None:
        """A veth pair whose other end lies in another namespace, as a pod's does."""
        # Only the network is entered: `netns PID` is looked up in the /proc of whoever runs `ip`.
        enter = ["nsenter", f"--net=/proc/{self.pid}/ns/net"]
        made = [
            "ip",
            "link",
            "add",
            link,
            *options,
            "type",
            "veth",
            "peer",
            "name",
            peer,
            "netns",
            str(other.pid),
        ]
        subprocess.run([*enter, *made], check=True, capture_output=True, timeout=60)

    def run(
        self, argv: Sequence[str], *, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        result = subprocess.run(
            [*self.enter(), *argv], input=stdin, capture_output=True, text=True, check=False, timeout=120
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"{' '.join(argv)}: exit {result.returncode}: {result.stderr}{result.stdout}"
            )
        return result

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a shell script inside and return what it prints."""
        return self.run(["sh", "-ec", script], check=check).stdout

    def sysctl(self, key: str) -> str:
        """Read one value."""
        path = "/proc/sys/" + key.translate(str.maketrans("./", "/."))
        return " ".join(self.run(["cat", path]).stdout.split())
