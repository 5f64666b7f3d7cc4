"""Figures under /proc, also as others' kernels printed them."""

import os
from pathlib import Path

import pytest

from planner.models.node import Conntrack, Listener
from planner.parse.counters import (
    parse_conntrack,
    parse_entries,
    parse_listeners,
    parse_memory,
    parse_processors,
    parse_snmp,
    parse_sockstat,
    parse_uptime,
)

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
PROC = DATA / "real" / "ipset-ipvs" / "procfs" / "proc"


def test_conntrack_statistics_are_sums_of_hexadecimal_columns():
    """One line for each processor; sixteen insert failures are printed as 00000010."""
    text = (
        "entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop\n"
        "00000021 0 0 0 0 0 0 0 0 00000010 00000001 0000000a\n"
        "00000021 0 0 0 0 0 0 0 0 00000001 00000000 00000000\n"
    )
    sysctls = {"net.netfilter.nf_conntrack_count": "33", "net.nf_conntrack_max": "1000"}

    assert Conntrack(count=33, maximum=1000, insert_failed=17, drop=1, early_drop=10) == parse_conntrack(
        sysctls, text
    )
    assert Conntrack() == parse_conntrack({}, "")


def test_the_neighbour_table_is_counted_once():
    """Every processor's line repeats the size of the whole table."""
    assert 0x21 == parse_entries("entries allocs\n00000021 1\n00000021 2\n")
    assert parse_entries("") is None
    assert parse_entries("something else\n") is None


def test_listeners_are_read_from_both_forms_of_ss():
    """`ss -nltu` and the `ss -peaonmi` of an sosreport; a link-local scope is no part of the address."""
    short = (
        'tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=1,fd=3))\n'
        "udp   UNCONN 0      0      [fe80::1]%eth0:546          [::]:*\n"
        "tcp   LISTEN 0      4096               *:10250            *:*\n"
        "tcp   ESTAB  0      0        10.0.0.1:22        10.0.0.2:999\n"
    )
    long = (
        "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess\n"
        "nl    UNCONN 0      0                  0:0                 *     sk=0\n"
        '127.0.0.1%lo\ntcp   LISTEN 0      128     127.0.0.1:631  0.0.0.0:*    users:(("cupsd",pid=9,fd=7)) ino:1 sk:2\n'
        "\t skmem:(r0,rb131072)\n"
    )

    assert (
        Listener(protocol="tcp", address="0.0.0.0", port=22, process="sshd"),
        Listener(protocol="tcp", address="*", port=10250),
        Listener(protocol="udp", address="fe80::1", port=546),
    ) == parse_listeners(short)
    assert (Listener(protocol="tcp", address="127.0.0.1", port=631, process="cupsd"),) == parse_listeners(
        long
    )


def test_small_figures():
    """Processors, memory, uptime; absent when the text does not say."""
    assert 2 == parse_processors("processor\t: 0\nmodel name\t: x\nprocessor\t: 1\n")
    assert 1 == parse_processors("vendor_id : IBM/S390\nprocessor 0: version = FF\n")
    assert 16 == parse_memory("MemTotal:             16 kB\nMemFree: 1 kB\n")
    assert 12 == parse_uptime("12.90 3.1\n")
    assert (None, None, None) == (parse_processors(""), parse_memory(""), parse_uptime(""))


@pytest.mark.skipif(not PROC.is_dir(), reason="no real inputs")
def test_real_figures_are_read():
    """What a kernel printed that nobody here set up."""
    assert parse_sockstat((PROC / "net/sockstat").read_text())["tcp_inuse"] > 0
    assert "tcp6_inuse" in parse_sockstat((PROC / "net/sockstat6").read_text())
    assert parse_snmp((PROC / "26231/net/netstat").read_text())["TcpExt.ListenDrops"].isdecimal()
    assert parse_snmp((PROC / "26231/net/snmp").read_text())["Ip.ForwDatagrams"].isdecimal()
    assert parse_entries((PROC / "net/stat/arp_cache").read_text()) == 20
