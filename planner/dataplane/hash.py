"""The kernel's hash of a pair of addresses, by which NAT chooses from a range (include/linux/jhash.h, jhash2)."""

WORD = 0xFFFFFFFF
INITIAL = 0xDEADBEEF


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & WORD


def _words(address: int, family: str) -> list[int]:
    """An address as four words of a little-endian machine; IPv4 fills the first."""
    octets = address.to_bytes(4 if family == "ip" else 16, "big").ljust(16, b"\0")
    return [int.from_bytes(octets[at : at + 4], "little") for at in range(0, 16, 4)]


def jhash2(words: list[int], seed: int) -> int:
    """Bob Jenkins' lookup3 on whole words."""
    a = b = c = (INITIAL + (len(words) << 2) + seed) & WORD
    rest = list(words)
    while len(rest) > 3:
        a, b, c = (a + rest[0]) & WORD, (b + rest[1]) & WORD, (c + rest[2]) & WORD
        a = (a - c & WORD) ^ _rotate(c, 4)
        c = c + b & WORD
        b = (b - a & WORD) ^ _rotate(a, 6)
        a = a + c & WORD
        c = (c - b & WORD) ^ _rotate(b, 8)
        b = b + a & WORD
        a = (a - c & WORD) ^ _rotate(c, 16)
        c = c + b & WORD
        b = (b - a & WORD) ^ _rotate(a, 19)
        a = a + c & WORD
        c = (c - b & WORD) ^ _rotate(b, 4)
        b = b + a & WORD
        rest = rest[3:]
    if not rest:
        return c
    rest += [0] * (3 - len(rest))
    a, b, c = a + rest[0] & WORD, b + rest[1] & WORD, c + rest[2] & WORD
    c = (c ^ b) - _rotate(b, 14) & WORD
    a = (a ^ c) - _rotate(c, 11) & WORD
    b = (b ^ a) - _rotate(a, 25) & WORD
    c = (c ^ b) - _rotate(b, 16) & WORD
    a = (a ^ c) - _rotate(c, 4) & WORD
    b = (b ^ a) - _rotate(a, 14) & WORD
    return (c ^ b) - _rotate(b, 24) & WORD


def scaled_hash(
    source: int, destination: int, span: tuple[int, int], family: str, *, persistent: bool
) -> int:
    """The destination that a flow is given out of a range, as `find_best_ips_proto` of net/netfilter/nf_nat_core.c picks it."""
    return _picked(source, destination, span, family, persistent=persistent, moving=True)


def scaled_source(
    source: int, destination: int, span: tuple[int, int], family: str, *, persistent: bool
) -> int:
    """Likewise the source."""
    return _picked(source, destination, span, family, persistent=persistent, moving=False)


def _picked(
    source: int, destination: int, span: tuple[int, int], family: str, *, persistent: bool, moving: bool
) -> int:  # fmt: skip
    there = _words(destination, family)
    places = 1 if family == "ip" else 4
    # The source's words are hashed with the last word of the destination that its family fills as seed (measured).
    drawn = jhash2(_words(source, family), 0 if persistent else there[places - 1])
    low, high = span
    if places == 1:
        return low + (drawn * (high - low + 1) >> 32)
    chosen, full = [], False
    for place, (least, most) in enumerate(zip(_big(low), _big(high), strict=True)):
        # Numbers of 32 bits: where the last word ends before it begins, an address outside of the range comes out (measured).
        scaled = drawn * (WORD if full else most - least + 1 & WORD) >> 32
        picked = scaled if full else least + scaled & WORD
        full = full or picked != most
        chosen.append(picked)
        if not persistent:
            # A destination is overwritten word by word while it is hashed.
            drawn ^= int.from_bytes(picked.to_bytes(4, "big"), "little") if moving else there[place]
    return sum(word << 32 * (3 - place) for place, word in enumerate(chosen))


def _big(address: int) -> list[int]:
    return [address >> 96 & WORD, address >> 64 & WORD, address >> 32 & WORD, address & WORD]
