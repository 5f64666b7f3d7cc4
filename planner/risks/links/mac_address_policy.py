"""systemd is told to give links of the overlay or of pods MAC addresses of its own.

## Why it matters

A .link file with MACAddressPolicy=persistent, the default of systemd since version 242, rewrites the MAC right after a
link is made. The overlay's agent has then published, or the CNI plugin has written into the pod, a MAC that the link no
longer has.

## When it bites

At the next reboot, and for every link that is made after udev has read its files again.

## How to undo

Install a .link file with MACAddressPolicy=none that sorts first, and restart the overlay's agent.

## How to check

`udevadm test-builtin net_setup_link /sys/class/net/<link>` names the file that applies.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from planner.models.change import FileChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.link import Link
from planner.models.node import ConfigFile
from planner.models.topology import Overlay, PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.people import listed, pods
from planner.risks.risk import Review, Risk

DIRECTORIES = ("/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network")


def judge(change: FileChange, review: Review) -> Iterator[Finding]:
    """Which links of the overlay and of pods come under the persistent policy that did not before."""
    if not change.path.endswith(".link"):
        return
    topology = review.topology
    routed = topology.attachment is PodAttachment.ROUTED and topology.overlay in {
        Overlay.AWS_VPC,
        Overlay.CILIUM,
    }
    names = (*topology.overlay_links, *(topology.pod_links if routed else ()))
    hit = [
        link.name
        for link in review.before.links
        if link.name in names
        and policy(link, review.after.files) == "persistent"
        and policy(link, review.before.files) != "persistent"
    ]
    if not hit:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"From the next boot systemd gives {listed(hit)} on {change.node} another MAC than its owner has published: "
            f"{pods(review)} lose the traffic that is sent to the old one."
        ),
        breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
        extent=Extent.TOTAL,
        onset=max(change.horizon, Horizon.REBOOT),
        confidence=Confidence.LIKELY,
        reversibility=Reversibility.WITH_LOSS,
        undo="Links that were renumbered keep the MAC until their owner restarts.",
        remedy="Add a .link file with MACAddressPolicy=none for these links.",
    )


def policy(link: Link, files: Mapping[str, ConfigFile]) -> str:
    """The MACAddressPolicy of the first .link file that matches; an empty string when none does."""
    # systemd.link(5): files of all directories are sorted by name together, /etc replaces the same name below it,
    # and the first whose [Match] fits applies, alone.
    chosen: dict[str, str] = {}
    for directory in DIRECTORIES:
        for path, file in files.items():
            pure = PurePosixPath(path)
            if pure.suffix == ".link" and str(pure.parent) == directory:
                chosen.setdefault(pure.name, file.text if file.link_to != "/dev/null" else "")
    for name in sorted(chosen):
        sections = _sections(chosen[name])
        if "Match" in sections and _matches(sections["Match"], link):
            return sections.get("Link", {}).get("MACAddressPolicy", "")
    return ""


def _matches(match: Mapping[str, str], link: Link) -> bool:
    tests = {
        "OriginalName": link.name,
        "Driver": link.kind,
        "Kind": link.kind,
    }
    for key, value in match.items():
        if key not in tests:
            return False
        if not any(fnmatchcase(tests[key], glob) for glob in value.split()):
            return False
    return bool(match)


def _sections(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    current = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            current = line[1:-1]
            found.setdefault(current, {})
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found.setdefault(current, {})[key.strip()] = value.strip()
    return found


RISK = Risk[FileChange](
    id="mac-address-policy",
    title="systemd rewrites MAC addresses of the overlay",
    on=(FileChange,),
    judge=judge,
    sources=("systemd.link(5), MACAddressPolicy", "systemd NEWS, version 242"),
    verify="grep -H MACAddressPolicy /etc/systemd/network/*.link /usr/lib/systemd/network/*.link",
)
