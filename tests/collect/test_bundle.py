"""Bundles: every layout is read, every damage is one sentence, and nothing outside is touched."""

import gzip
import io
import lzma
import os
import tarfile
from pathlib import Path

import pytest

from planner.collect import bundle, tree
from planner.collect.bundle import read_bundle, read_bundles
from planner.errors import NetchangeError
from planner.models.section import Section

TOKEN = "tok-of-a-test"
STREAM = (
    f"{TOKEN} H 1 root=/\n{TOKEN} B 1 kernel x\n6.1.0\n\n{TOKEN} E 1 0\n"
    f"{TOKEN} B 2 hostname x\nn1\n\n{TOKEN} E 2 0\n{TOKEN} Z 2\n"
).encode()
WHOLE = (
    Section(name="kernel", argv="x", text="6.1.0\n"),
    Section(name="hostname", argv="x", text="n1\n"),
    Section(name="stream", text="whole"),
)
SOS = {
    "sos_commands/kernel/uname_-a": "Linux n1 5.14.0-1.el9 #1 SMP x86_64 GNU/Linux\n",
    "sos_commands/host/hostname": "n1\n",
    "sos_commands/kernel/sysctl_-a": "net.ipv4.ip_forward = 1\n",
    "sos_commands/networking/ip_-d_address": "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n"
    "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n",
    "sos_commands/networking/ip_route_show_table_all": "default via 10.0.0.1 dev lo\n",
    "sos_commands/networking/ip_-4_rule_list": "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n",
    "sos_commands/networking/iptables_-vnxL": "Chain INPUT (policy ACCEPT 0 packets, 0 bytes)\n",
    "sos_commands/firewall_tables/nft_list_ruleset": "table inet x {\n}\n",
    "proc/42/net/sockstat": "TCP: inuse 3 orphan 0\n",
    "etc/resolv.conf": "nameserver 10.0.0.2\n",
    "etc/sysctl.d/10-x.conf": "net.ipv4.ip_forward = 1\n",
    "usr/lib/sysctl.d/50-y.conf": "a = 1\n",
    "var/log/messages": "never read",
}
LINKS = {
    "proc/net": "self/net",
    "proc/self": "42",
    "lib": "usr/lib",
    "etc/sysctl.d/99-sysctl.conf": "../sysctl.conf",
    "etc/sysctl.d/20-masked.conf": "/dev/null",
    "etc/netplan/1.yaml": "../../../../../../etc/passwd",
}


def lay(root, files, links=None):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode()
        (root / path).write_bytes(data)
    for path, target in (links or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    return root


def packed(path, files, links=None, *, mode="w:gz", prefix="", extra=()):
    with tarfile.open(path, mode) as archive:
        for name, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(prefix + name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
        for info in extra:
            archive.addfile(info)
    return path


def refusal(path):
    with pytest.raises(NetchangeError) as caught:
        read_bundles(path)
    error = caught.value
    assert str(path) in error.message
    assert error.hint
    assert "\n" not in error.message
    return error.reference


def by_name(path):
    return {section.name: section for section in read_bundle(path)}


# --- layouts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda at: lay(at / "d", {"stream.txt": STREAM}),
        lambda at: lay(at / "d", {"stream.txt.gz": gzip.compress(STREAM, mtime=0)}),
        lambda at: lay(at, {"n1.txt": STREAM}) / "n1.txt",
        lambda at: lay(at, {"n1.gz": gzip.compress(STREAM, mtime=0)}) / "n1.gz",
        lambda at: lay(at, {"n1": b"Welcome\n" + STREAM}) / "n1",
        lambda at: packed(at / "a.tar", {"stream.txt": STREAM}, mode="w"),
        lambda at: packed(at / "a.tgz", {"stream.txt": STREAM}, prefix="./"),
        lambda at: packed(at / "a.tar.xz", {"stream.txt": STREAM}, mode="w:xz", prefix="n1/"),
        lambda at: packed(at / "a.tar.bz2", {"stream.txt": STREAM}, mode="w:bz2", prefix="all/n1/"),
        lambda at: packed(at / "no-suffix", {"stream.txt": STREAM}),
    ],
)
def test_a_stream_is_read_wherever_it_lies(make, tmp_path):
    """A file, a directory, an archive of any compression, by content and not by name."""
    assert WHOLE == read_bundle(make(tmp_path))


@pytest.mark.parametrize("archive", [False, True])
def test_one_file_for_each_section(archive, tmp_path):
    """For who cannot run the collector; status, complaints and skips lie beside the output."""
    files = {
        "sections/kernel": "6.1.0\n",
        "sections/ip/addr": "[]\n",
        "sections/ip/addr.rc": "0\n",
        "sections/ip/addr.argv": "ip -j -d addr\n",
        "sections/iptables-nft/ip": "",
        "sections/nft/json": "half",
        "sections/nft/json.rc": "139",
        "sections/nft/json.stderr": "one\ntwo\nthree\n",
        "sections/ipset.skipped": "not allowed\n",
        "sections/file/etc/x.rc": "a file of that name\n",
        "sections/file/etc/sysctl.conf": "a = 1\n",
    }
    path = packed(tmp_path / "a.tgz", files) if archive else lay(tmp_path / "d", files)
    found = by_name(path)

    assert Section(name="ip/addr", argv="ip -j -d addr", text="[]\n") == found["ip/addr"]
    assert found["iptables-nft/ip"].status is None, (
        "an empty output without a status is what a failure leaves"
    )
    assert (139, "one … three") == (found["nft/json"].status, found["nft/json"].stderr)
    assert "not allowed" == found["ipset"].skipped
    assert "a file of that name\n" == found["file/etc/x.rc"].text
    assert "/etc/sysctl.conf" == found["file/etc/sysctl.conf"].argv


@pytest.mark.parametrize("archive", [False, True])
def test_an_sosreport_is_recognised_by_its_content(archive, tmp_path):
    """Unpacked or not; links are followed inside it only, and nothing else is read."""
    prefix = "sosreport-n1-2026-01-01-abc/"
    if archive:
        path = packed(tmp_path / "sos.tar.xz", SOS, LINKS, mode="w:xz", prefix=prefix)
    else:
        path = lay(tmp_path / prefix, SOS, LINKS)
    found = by_name(path)

    assert "Linux n1 5.14.0-1.el9" in found["uname"].text
    assert "TCP: inuse 3 orphan 0\n" == found["proc/sockstat"].text
    assert "table inet x {\n}\n" == found["nft/text"].text
    assert "iptables -vnxL" == found["iptables-listing/ip"].argv
    assert "/dev/null\n" == found["link/etc/sysctl.d/20-masked.conf"].text
    assert "file/etc/sysctl.d/20-masked.conf" not in found
    assert "not in the report" in found["file/etc/sysctl.d/99-sysctl.conf"].skipped
    assert "not in the report" in found["file/etc/netplan/1.yaml"].skipped
    assert "a = 1\n" == found["file/usr/lib/sysctl.d/50-y.conf"].text
    assert not any("messages" in name for name in found)


def test_a_tool_that_failed_inside_an_sosreport_is_no_output(tmp_path):
    """sos keeps what the shell said in the place of the output, and no status."""
    said = "bash: line 1: nft: command not found\n"
    found = by_name(lay(tmp_path / "s", {**SOS, "sos_commands/firewall_tables/nft_list_ruleset": said}))

    assert not found["nft/text"].usable
    assert said.strip() == found["nft/text"].stderr


def test_a_bundle_of_many_nodes_is_read_node_by_node(tmp_path):
    """Directories, archives and streams beside each other; names are those of the directories and files."""
    root = tmp_path / "fleet"
    lay(root / "n2", {"stream.txt": STREAM})
    lay(root / "n1", SOS)
    packed(root / "n3.tar.gz", {"stream.txt": STREAM}, prefix="whatever/")
    lay(root, {"n4.txt.gz": gzip.compress(STREAM, mtime=0), "notes.txt": "remember the milk", "n1.md5": "0"})

    found = read_bundles(root)

    assert [("n1", "sosreport"), ("n2", "stream"), ("n3", "stream"), ("n4", "stream")] == [
        (one.name, one.kind) for one in found
    ]
    with pytest.raises(NetchangeError) as caught:
        read_bundle(root)
    assert "bundle-of-many" == caught.value.reference
    archive = packed(tmp_path / "f.tgz", {"f/a/stream.txt": STREAM, "f/b/stream.txt": STREAM})
    assert ["a", "b"] == [one.name for one in read_bundles(archive)]


def test_one_node_twice_is_refused(tmp_path):
    """Which of the two would be the node?"""
    lay(tmp_path / "n1", {"stream.txt": STREAM})
    lay(tmp_path, {"n1.txt": STREAM})

    assert "bundle-node-twice" == refusal(tmp_path)


# --- damage ----------------------------------------------------------------------------------------------------------


def test_a_cut_stream_keeps_its_whole_sections(tmp_path):
    """Plain or compressed: what arrived is used, and the loss is told."""
    for data in (STREAM[:90], gzip.compress(STREAM, mtime=0)[:-12]):
        path = lay(tmp_path, {"s.txt": data}) / "s.txt"
        sections = read_bundle(path)

        assert "kernel" == sections[0].name
        assert not sections[-1].usable


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_truncated_archive_is_refused(mode, part, tmp_path):
    """Half an archive would look like a node without files."""
    path = packed(tmp_path / "a", {"stream.txt": STREAM, "sections/x": os.urandom(300_000)}, mode=mode)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])

    assert refusal(path) in {"bundle-damaged", "bundle-not-recognised"}


def test_an_archive_that_stops_between_two_members_is_refused(tmp_path):
    """tarfile takes it for whole: only the end mark of the format tells."""
    path = packed(tmp_path / "a.tar", {"stream.txt": STREAM}, mode="w")
    path.write_bytes(path.read_bytes()[:1024])

    assert "bundle-damaged" == refusal(path)


@pytest.mark.parametrize("name", ["../escape/stream.txt", "a/../../stream.txt", "/etc/cron.d/x"])
def test_names_that_lead_out_refuse_the_archive(name, tmp_path):
    """No collector makes such an archive."""
    path = packed(tmp_path / "a.tgz", {"stream.txt": STREAM, name: "x"})

    assert "bundle-unsafe" == refusal(path)


def test_links_never_lead_out(tmp_path):
    """Neither in an archive nor in a directory is anything outside read through a link."""
    secret = tmp_path / "secret"
    secret.write_text("hush")
    links = {"etc/sysctl.conf": str(secret), "etc/resolv.conf": "../../secret", "etc/modules": "modules"}
    files = {key: text for key, text in SOS.items() if key != "etc/resolv.conf"}
    for path in (lay(tmp_path / "d", files, links), packed(tmp_path / "a.tgz", files, links)):
        found = by_name(path)

        assert not any("hush" in section.text for section in found.values())
        assert "not in the report" in found["file/etc/sysctl.conf"].skipped
        assert "loop" in found["file/etc/modules"].skipped
    stream = lay(tmp_path / "s", {"sections/kernel": "x"}, {"sections/nft/text": str(secret)})
    assert by_name(stream)["nft/text"].skipped
    linked = lay(tmp_path / "t", {}, {"stream.txt": str(secret)})
    assert "bundle-unreadable" == refusal(linked)


def test_devices_and_pipes_are_not_opened(tmp_path):
    """A pipe would wait for ever."""
    directory = lay(tmp_path / "d", SOS)
    os.mkfifo(directory / "etc/sysctl.conf")
    device = tarfile.TarInfo("etc/sysctl.conf")
    device.type = tarfile.CHRTYPE
    archive = packed(tmp_path / "a.tgz", SOS, extra=[device])

    assert "pipe" in by_name(directory)["file/etc/sysctl.conf"].skipped
    assert "device" in by_name(archive)["file/etc/sysctl.conf"].skipped


def test_hard_links_inside_an_archive_share_their_content(tmp_path):
    """tar writes the second name of a file so."""
    link = tarfile.TarInfo("etc/modules")
    link.type, link.linkname = tarfile.LNKTYPE, "etc/resolv.conf"
    lost = tarfile.TarInfo("etc/sysctl.conf")
    lost.type, lost.linkname = tarfile.LNKTYPE, "var/log/messages"
    found = by_name(packed(tmp_path / "a.tgz", SOS, extra=[link, lost]))

    assert "nameserver 10.0.0.2\n" == found["file/etc/modules"].text
    assert "hard link" in found["file/etc/sysctl.conf"].skipped


def test_sizes_that_describe_no_node_are_refused(tmp_path, monkeypatch):
    """A small archive can unpack to terabytes; one large file is a gap, many are a refusal."""
    monkeypatch.setattr(tree, "FILE_LIMIT", 3000)
    archive = packed(tmp_path / "a.txz", {**SOS, "etc/sysctl.conf": "x" * 4000}, mode="w:xz")
    directory = lay(tmp_path / "d", {**SOS, "etc/sysctl.conf": "x" * 4000})
    for path in (archive, directory):
        assert "more than" in by_name(path)["file/etc/sysctl.conf"].skipped

    monkeypatch.setattr(tree, "TOTAL_LIMIT", 1000)
    many = {**SOS, "etc/sysctl.conf": "x" * 2000}
    assert "bundle-too-large" == refusal(packed(tmp_path / "b.txz", many, mode="w:xz"))
    assert "bundle-too-large" == refusal(lay(tmp_path / "e", many))


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path, monkeypatch):
    """Members that nobody wants are unpacked as well: they count."""
    monkeypatch.setattr(tree, "ARCHIVE_LIMIT", 1 << 20)
    monkeypatch.setattr(bundle, "TOTAL_LIMIT", 1 << 20)
    archive = packed(tmp_path / "a.txz", {**SOS, "var/log/messages": b"\0" * (4 << 20)}, mode="w:xz")
    stream = lay(tmp_path, {"s.gz": gzip.compress(STREAM + b"x" * (4 << 20), mtime=0)}) / "s.gz"

    assert "bundle-too-large" == refusal(archive)
    assert "bundle-too-large" == refusal(stream)


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    """Ten million empty files are no node."""
    monkeypatch.setattr(tree, "MEMBER_LIMIT", 5)

    assert "bundle-too-large" == refusal(packed(tmp_path / "a.tgz", SOS))
    assert "bundle-too-large" == refusal(lay(tmp_path / "d", SOS))


@pytest.mark.parametrize(
    ("name", "data", "reference"),
    [
        ("empty.tar.gz", b"", "input-empty"),
        ("photo.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 600, "bundle-not-recognised"),
        ("letter.txt", b"Dear colleague,\n", "bundle-not-recognised"),
        ("a.zip", b"PK\x03\x04" + b"\0" * 100, "bundle-wrong-kind"),
        ("a.xz", lzma.compress(b"not a tar"), "bundle-damaged"),
        ("a.gz", gzip.compress(b"not a tar", mtime=0), "bundle-not-recognised"),
        ("snapshot.json", b'{"schema_version":"1","nodes":[]}', "bundle-not-recognised"),
    ],
)
def test_what_is_no_bundle_is_told_apart(name, data, reference, tmp_path):
    """Each wrong file has its sentence."""
    path = tmp_path / name
    path.write_bytes(data)

    assert reference == refusal(path)


def test_directories_that_hold_no_node_are_told(tmp_path):
    """Empty, or full of other things; and a path that does not exist."""
    (tmp_path / "empty").mkdir()
    lay(tmp_path / "other", {"a/b.txt": "x", "c": "y"})
    packed(tmp_path / "other.tgz", {"a/b.txt": "x"})

    assert "bundle-empty" == refusal(tmp_path / "empty")
    assert "bundle-not-recognised" == refusal(tmp_path / "other")
    assert "bundle-not-recognised" == refusal(tmp_path / "other.tgz")
    assert "input-missing" == refusal(tmp_path / "nowhere")


def test_nothing_is_written(tmp_path):
    """Reading leaves the directory as it was."""
    path = packed(tmp_path / "a.tgz", SOS, LINKS)
    before = sorted(one.name for one in Path(tmp_path).iterdir())
    read_bundle(path)

    assert before == sorted(one.name for one in Path(tmp_path).iterdir())


DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
REPORTS = sorted(one.parent for one in DATA.rglob("sos_commands") if one.is_dir()) if DATA.is_dir() else []


@pytest.mark.skipif(not REPORTS, reason="no sosreport among the real inputs")
@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.name)
def test_a_real_sosreport_is_read(path):
    """What sos really writes, not what its source seems to say."""
    found = by_name(path)

    assert {"uname", "ip/addr-text", "ip/route4-text", "sysctl"} <= set(found)
