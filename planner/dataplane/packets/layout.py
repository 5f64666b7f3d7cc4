"""What tells packets apart: the fields of a header, and of where and as what it enters a node."""

from enum import StrEnum


class Part(StrEnum):
    """A field of the packet as it entered. The order is that of the decision diagram."""

    # Order matters two to four times; protocol, destination, source and port first was best (see decision 0007).
    PROTOCOL = "protocol"
    DESTINATION = "destination"
    SOURCE = "source"
    DESTINATION_PORT = "destination port"
    IN_LINK = "in link"
    """A number that the comparison gives to links; 0 for the node's own packets."""
    IN_PORT = "in port"
    """Likewise for ports of bridges; 0: came by none."""
    OUT_PORT = "out port"
    """The port that a frame is addressed to; 0: to the node, or not a frame."""
    STATE = "conntrack state"
    SOURCE_PORT = "source port"
    ICMP_TYPE = "icmp type"
    ICMP_CODE = "icmp code"
    TCP_FLAGS = "tcp flags"
    TOS = "type of service"
    HOP_LIMIT = "hop limit"
    LENGTH = "length"
    USER = "socket user"
    SOURCE_MAC = "source mac"


WIDTHS: dict[Part, int] = {
    Part.PROTOCOL: 8, Part.DESTINATION: 32, Part.SOURCE: 32, Part.DESTINATION_PORT: 16, Part.IN_LINK: 12, Part.IN_PORT: 12,
    Part.OUT_PORT: 12, Part.STATE: 3,
    Part.SOURCE_PORT: 16, Part.ICMP_TYPE: 8, Part.ICMP_CODE: 8, Part.TCP_FLAGS: 8, Part.TOS: 8, Part.HOP_LIMIT: 8,
    Part.LENGTH: 16, Part.USER: 32, Part.SOURCE_MAC: 48,
}  # fmt: skip
"""In bits, for IPv4."""
FAMILIES = ("ip", "ip6")


def widths_of(family: str) -> dict[Part, int]:
    """In bits, for one family."""
    return WIDTHS if family == "ip" else {**WIDTHS, Part.DESTINATION: 128, Part.SOURCE: 128}


STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
"""What conntrack may say of a packet when it comes; the position is the number in `Part.STATE`."""

WITH_PORTS = (6, 17, 33, 132, 136)
"""tcp, udp, dccp, sctp, udplite."""
