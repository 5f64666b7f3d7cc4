"""Addresses replaced by others of the same shape.

A prefix-preserving permutation (the idea is that of Crypto-PAn: each bit is flipped or not by a keyed function of the bits
before it), so equal addresses stay equal, two addresses share as many leading bits as before, and every prefix holds the
replacements of what it held.

Kept as they are: loopback, unspecified, multicast, the reserved ranges from 240.0.0.0 (netmasks), documentation ranges.
Private, shared, link-local and unique local addresses stay within their range, and the last octet of every address is
kept (`.0`, `.1`, `.255` mean something). Leading bits that a public address shares with one of these ranges are kept.
"""

import hashlib
import ipaddress
import re
from functools import lru_cache

_KEPT4 = ("0.0.0.0/8", "127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3")
_RANGES4 = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
_KEPT6 = ("::/127", "ff00::/8", "2001:db8::/32")
_RANGES6 = ("fc00::/7", "fe80::/64", "64:ff9b::/96", "2002::/16", "2000::/3")
_LAST_OCTET = 8

_V4 = re.compile(r"(?<![\w.])(?<!ffff:)(?<!FFFF:)(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d{1,2}))?(?![\w]|\.\d)")
_V6 = re.compile(
    r"(?<![\w:.])((?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})?)(?:/(\d{1,3}))?(?![\w:]|\.\d)"
)
_MAC = re.compile(
    r"(?<![\w:.\-])((?:[0-9A-Fa-f]{2}([:\-]))(?:[0-9A-Fa-f]{2}\2){4,18}[0-9A-Fa-f]{2})(?![\w:\-])"
)
_DASHED = re.compile(r"(?<![\w.])((?:ip|node|host|vm|gke|aks)[-\w]*?-)(\d{1,3}(?:-\d{1,3}){3})(?![\d]|-\d)")
_WELL_KNOWN_MACS = frozenset({"ee:ee:ee:ee:ee:ee", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"})
"""Nothing, everybody, and what calico gives to every host side of a pod."""


class AddressMap:
    """Replacements of addresses under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._kept4, self._free4 = _nodes(_KEPT4, 32), _nodes(_RANGES4, 32)
        self._kept6, self._free6 = _nodes(_KEPT6, 128), _nodes(_RANGES6, 128)
        self._v4 = lru_cache(maxsize=None)(lambda number: self._permuted(number, 32))
        self._v6 = lru_cache(maxsize=None)(lambda number: self._permuted(number, 128))
        self._flip = lru_cache(maxsize=1 << 20)(self._flips)

    def _flips(self, bits: int, depth: int, prefix: int) -> bool:
        """Whether the bit after this prefix is flipped: never on the way to a kept range, nor inside one."""
        kept, ranges = (self._kept4, self._free4) if bits == 32 else (self._kept6, self._free6)
        if depth >= bits - _LAST_OCTET:
            return False
        for length, value in kept:
            if depth < length and value >> (length - depth) == prefix:
                return False
            if depth >= length and prefix >> (depth - length) == value:
                return False
        for length, value in ranges:
            if depth < length and value >> (length - depth) == prefix:
                return False
        message = bits.to_bytes(1, "big") + depth.to_bytes(1, "big") + prefix.to_bytes(16, "big")
        return bool(hashlib.blake2b(message, key=self._key, digest_size=1).digest()[0] & 1)

    def _permuted(self, number: int, bits: int) -> int:
        result = 0
        for depth in range(bits):
            prefix = number >> (bits - depth)
            bit = number >> (bits - depth - 1) & 1
            result = result << 1 | (bit ^ self._flip(bits, depth, prefix))
        return result

    def address(self, text: str, length: int | None = None) -> str:
        """The replacement of an address; with a length and no host bits, of the prefix."""
        try:
            known = ipaddress.ip_address(text)
        except ValueError:
            return text
        if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
            return f"::ffff:{self.address(str(known.ipv4_mapped))}"
        bits = known.max_prefixlen
        number = int(known)
        mapped = (self._v4 if bits == 32 else self._v6)(number)
        if length is not None and 0 <= length <= bits:
            host = (1 << (bits - length)) - 1
            if number & host == 0:
                mapped &= ~host
            elif number & host == host:
                mapped |= host
        if mapped == number:
            return text
        return str(ipaddress.IPv4Address(mapped) if bits == 32 else ipaddress.IPv6Address(mapped))

    def mac(self, text: str) -> str:
        """The replacement of a link-layer address; its multicast and local bits stay."""
        separator = text[2]
        octets = bytes.fromhex(text.replace(separator, ""))
        if octets[0] & 1 or text.lower().replace("-", ":") in _WELL_KNOWN_MACS or not any(octets):
            return text
        drawn = hashlib.blake2b(octets, key=self._key, digest_size=len(octets), person=b"mac").digest()
        shown = bytes([drawn[0] & 0xFC | octets[0] & 0x03]) + drawn[1:]
        return separator.join(f"{octet:02x}" for octet in shown)

    def text(self, text: str) -> str:
        """Every address in a text replaced."""
        if len(text) < 2:
            return text
        if ":" in text or "-" in text:
            text = _MAC.sub(lambda found: self.mac(found.group(1)), text)
        if ":" in text:
            text = _V6.sub(self._found, text)
        if "." in text:
            text = _V4.sub(self._found, text)
        if "-" in text:
            text = _DASHED.sub(self._dashed, text)
        return text

    def _found(self, found: re.Match[str]) -> str:
        length = found.group(2)
        shown = self.address(found.group(1), int(length) if length else None)
        return f"{shown}/{length}" if length else shown

    def _dashed(self, found: re.Match[str]) -> str:
        return found.group(1) + self.address(found.group(2).replace("-", ".")).replace(".", "-")


def _nodes(prefixes: tuple[str, ...], bits: int) -> tuple[tuple[int, int], ...]:
    """(length, leading bits) of each."""
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    return tuple((one.prefixlen, int(one.network_address) >> (bits - one.prefixlen)) for one in networks)
