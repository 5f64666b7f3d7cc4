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


def scaled_hash(source: int, other: int, low: int, high: int, family: str) -> int:
    """An address between two, as `find_best_ips_proto` of net/netfilter/nf_nat_core.c picks it."""
    # The source's words are hashed with the last word of the destination as seed; IPv4 fills only the first.
    seed = _words(other, family)[3]
    drawn = jhash2(_words(source, family), seed)
    if family == "ip":
        return low + (drawn * (high - low + 1) >> 32)
    lows, highs = _big(low), _big(high)
    chosen, full = [], False
    for place in range(4):
        least, span = (0, 0)
        if full:
            least, span = 0, 0
            picked = drawn
        else:
            least = lows[place]
            span = highs[place] - least + 1
            picked = least + (drawn * span >> 32)
            full = picked != highs[place]
        chosen.append(picked)
        drawn ^= picked
    return sum(word << 32 * (3 - place) for place, word in enumerate(chosen))


def _big(address: int) -> list[int]:
    return [address >> 96 & WORD, address >> 64 & WORD, address >> 32 & WORD, address & WORD]
