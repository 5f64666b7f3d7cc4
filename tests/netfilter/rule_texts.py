"""Hypothesis strategies for rules as somebody may write them."""

from hypothesis import strategies as st

from planner.netfilter.words import join_words

V4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: f"{'.'.join(str(pair[0] >> shift & 255) for shift in (24, 16, 8, 0))}/{pair[1]}"
)
V6 = st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
    lambda pair: f"{':'.join(f'{pair[0] >> shift & 0xFFFF:x}' for shift in range(112, -16, -16))}/{pair[1]}"
)
PORT = st.integers(0, 65535)
SPAN = st.tuples(PORT, PORT).map(lambda ends: f"{min(ends)}:{max(ends)}")
NOT = st.sampled_from(["", "! "])
MARK = st.integers(0, 2**32 - 1)
LINK = st.from_regex(r"\A[a-z][a-z0-9._-]{0,10}\+?\Z")
COMMENT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=60)
PROBABILITY = st.floats(0, 1).map(lambda value: f"{value:.12f}")
UNIT = st.sampled_from(["s", "sec", "second", "minute", "m", "hour", "day"])


def matches(protocol: str) -> st.SearchStrategy[str]:
    """A match that any rule of the protocol may have."""
    anywhere = [
        st.builds("-m comment --comment {}".format, COMMENT.map(lambda text: join_words([text]))),
        st.builds("-m mark {}--mark {}/{:#x}".format, NOT, MARK, MARK),
        st.builds("-m connmark {}--mark {}".format, NOT, MARK),
        st.builds(
            "-m conntrack {}--ctstate {}".format,
            NOT,
            st.lists(
                st.sampled_from(["NEW", "ESTABLISHED", "RELATED", "INVALID", "DNAT"]), min_size=1, unique=True
            ).map(",".join),
        ),
        st.builds("-m statistic --mode random {}--probability {}".format, NOT, PROBABILITY),
        st.builds(
            "-m limit --limit {}/{} --limit-burst {}".format, st.integers(1, 9999), UNIT, st.integers(1, 99)
        ),
        st.builds(
            "-m addrtype {}--dst-type {}".format,
            NOT,
            st.sampled_from(["LOCAL", "UNICAST,BROADCAST", "local"]),
        ),
        st.builds("-m set {}--match-set {} {}".format, NOT, LINK, st.sampled_from(["src", "dst,src"])),
        st.builds("-m tos {}--tos {}/{}".format, NOT, st.integers(0, 255), st.integers(0, 255)),
        st.builds("-m length {}--length {}".format, NOT, SPAN),
        st.builds(
            "-m hashlimit --hashlimit-upto {}/{} --hashlimit-name h --hashlimit-mode srcip,dstport".format,
            st.integers(1, 9999),
            UNIT,
        ),
        st.builds("-m recent --update --seconds {} --name x".format, st.integers(1, 999)),
        st.builds("-m physdev {}--physdev-in {} --physdev-is-bridged".format, NOT, LINK),
        st.just("-m layer7 --proto http"),
    ]
    if protocol in {"tcp", "udp"}:
        anywhere += [
            st.builds("{}--dport {}".format, NOT, SPAN),
            st.builds("-m {} {}--sport {} {}--dport {}".format, st.just(protocol), NOT, PORT, NOT, SPAN),
            st.builds(
                "-m multiport {}--ports {}".format,
                NOT,
                st.lists(PORT.map(str), min_size=1, max_size=15).map(",".join),
            ),
        ]
    return st.one_of(anywhere)


@st.composite
def rule_texts(draw: st.DrawFn, family: str = "ip") -> str:
    """A rule as somebody may write it: any order, long and short options."""
    protocol = draw(st.sampled_from(["", "tcp", "udp", "6", "sctp", "all"]))
    address = V4 if family == "ip" else V6
    head = [f"-p {protocol}"] if protocol else []
    for option in ("-s", "--destination"):
        if draw(st.booleans()):
            head.append(f"{option} {draw(address)}")  # noqa: PERF401
    for option in ("-i", "--out-interface"):
        if draw(st.booleans()):
            head.append(f"{draw(NOT)}{option} {draw(LINK)}")  # noqa: PERF401
    # The match of the protocol can be loaded by its options only behind `-p`.
    head = sorted(head[1:], key=lambda _: draw(st.integers())) + head[:1]
    body = draw(st.lists(matches({"6": "tcp"}.get(protocol, protocol)), max_size=3))
    target = draw(
        st.sampled_from(
            [
                "",
                "-j ACCEPT",
                "-j KUBE-MARK-MASQ",
                "-g elsewhere",
                "-j MARK --or-mark 0x4000",
                "-j REJECT",
                "-j LOG --log-prefix 'a",
                "-j NOSUCH --x 1",
            ]
        )
    )
    return " ".join([*head, *body, target]).strip()
