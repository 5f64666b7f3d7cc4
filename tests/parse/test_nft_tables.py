"""`nft list ruleset` taken apart, as nft 1.0.6 prints it."""

from planner.parse.nft_tables import nft_tables, still

TEXT = """table inet fw {
	comment "a { b"
	flags dormant
	counter c1 {
		comment "cc"
		packets 12 bytes 840
	}

	quota q1 {
		over 25 mbytes used 84 bytes
	}

	set s {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/24, 10.0.2.1 comment "x, y } z",
			     10.0.3.0-10.0.3.9 }
	}

	set dyn {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		elements = { 1.2.3.4 timeout 1m expires 59s980ms }
	}

	set tm {
		type ipv4_addr
		flags timeout
		elements = { 1.2.3.4 timeout 5m expires 4m59s980ms, 5.6.7.8 }
	}

	map m {
		type inet_service : verdict
		elements = { 22 : accept, 23 : jump sub }
	}

	chain sub {
		comment "regular"
		counter packets 7 bytes 420 drop
	}

	chain input {
		type filter hook input priority filter; policy drop;
		tcp dport { 22, 80 } counter packets 0 bytes 0 accept comment "a # { b"
		jump {
			ip saddr 1.1.1.1 drop
			tcp dport 99 accept
		}
		quota 5 mbytes used 10 kbytes drop
	}
}
table netdev nd {
	chain ing {
		type filter hook ingress device "lo" priority filter; policy accept;
	}
}
"""  # noqa: E101


def test_a_table_is_what_it_declares_in_printed_order() -> None:
    """Braces and commas within quotes, and blocks within rules, are no ends."""
    tables = nft_tables(TEXT)

    fw = tables["inet fw"]
    assert ['comment "a { b"', "flags dormant"] == list(fw.head)
    assert fw.dormant
    assert ["c1", "q1", "s", "dyn", "tm", "m", "sub", "input"] == [name for _, name in fw.objects]
    assert ("10.0.0.0/24", '10.0.2.1 comment "x, y } z"', "10.0.3.0-10.0.3.9") == fw.of("set")["s"].body
    assert ("22 : accept", "23 : jump sub") == fw.of("map")["m"].body
    chain = fw.of("chain")["input"]
    assert ("type filter hook input priority filter; policy drop;",) == chain.head
    assert "jump {\nip saddr 1.1.1.1 drop\ntcp dport 99 accept\n}" == chain.body[1]
    assert ('comment "regular"',) == fw.of("chain")["sub"].head
    assert ["ing"] == list(tables["netdev nd"].of("chain"))


def test_what_moves_by_itself_is_left_out() -> None:
    """Counts, remaining times, what quotas have used."""
    moved = (
        TEXT.replace("packets 12 bytes 840", "packets 13 bytes 900")
        .replace("packets 7 bytes 420", "packets 8 bytes 1")
        .replace("used 84 bytes", "used 9 kbytes")
        .replace("4m59s980ms", "4m1s")
        .replace(" used 10 kbytes", "")
    )

    assert still(TEXT) == still(moved)
    assert nft_tables(TEXT) == nft_tables(moved)


def test_elements_that_come_and_go_are_no_lasting_ones() -> None:
    """What packets add, and what has a time."""
    sets = nft_tables(TEXT)["inet fw"].of("set")

    assert () == sets["dyn"].lasting
    assert sets["dyn"].dynamic
    assert ("5.6.7.8",) == sets["tm"].lasting
    assert sets["s"].body == sets["s"].lasting
