"""Numbers as the kernel reads and compares them."""

import re

_NUMBER = re.compile(r"^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$")
_LIST = re.compile(r"^(0x)?[0-9a-fA-F]+(-(0x)?[0-9a-fA-F]+)?(,(0x)?[0-9a-fA-F]+(-(0x)?[0-9a-fA-F]+)?)*$")


def read_number(word: str) -> int | None:
    """One number in C notation (`0x10` is 16, `010` is 8); None where the kernel would refuse it.

    kernel/sysctl.c proc_get_long() and strtoul_lenient(): an optional minus, then base by prefix; no plus sign.
    """
    match = _NUMBER.match(word)
    if match is None:
        return None
    sign, digits = match.groups()
    if digits[:2] in {"0x", "0X"}:
        number = int(digits, 16)
    elif len(digits) > 1 and digits[0] == "0":
        number = int(digits, 8)
    else:
        number = int(digits)
    return -number if sign else number


def number(value: str | None) -> int | None:
    """The first number of a value; None when there is none."""
    if value is None:
        return None
    words = value.split()
    return read_number(words[0]) if words else None


def numbers(value: str | None) -> tuple[int, ...]:
    """All numbers of a vector; empty when one of them is none."""
    read = [read_number(word) for word in (value or "").split()]
    return () if None in read else tuple(n for n in read if n is not None)


def ports(value: str | None) -> frozenset[int]:
    """The members of a list such as `8080,30000-32767` (ports, CPUs, ICMP types)."""
    members: set[int] = set()
    if value and _LIST.match(value.strip()):
        for part in value.strip().split(","):
            first, _, last = part.partition("-")
            low, high = read_number(first), read_number(last or first)
            if low is None or high is None or high < low or high > 65535:
                return frozenset()
            members.update(range(low, high + 1))
    return frozenset(members)


def print_ports(members: frozenset[int]) -> str:
    """The list as the kernel prints it: sorted, neighbours joined (kernel/sysctl.c proc_do_large_bitmap())."""
    runs: list[list[int]] = []
    for member in sorted(members):
        if runs and member == runs[-1][1] + 1:
            runs[-1][1] = member
        else:
            runs.append([member, member])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def normalise_value(text: str) -> str:
    """The value with white space folded to one blank."""
    return " ".join(text.split())


def same_value(one: str, other: str) -> bool:
    """Whether two printed values are the same to the kernel: notation, white space and the order of lists aside."""
    left, right = one.split(), other.split()
    if left == right:
        return True
    if len(left) != len(right):
        return False
    return all(_same_word(a, b) for a, b in zip(left, right, strict=True))


def _same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    left, right = read_number(one), read_number(other)
    if left is not None or right is not None:
        return left == right
    return bool(ports(one)) and ports(one) == ports(other)
