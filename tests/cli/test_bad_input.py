"""Whatever is named as an input: one sentence with the name and what to do, exit code 1, nothing half done."""

import gzip
import io
import json
import os
import socket
import tarfile
from pathlib import Path

import pytest
from program import DEMO, PULL_REQUEST, RULES, SYSCTLS, called, launched, refused

Captured = pytest.CaptureFixture[bytes]
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
SNAPSHOT = gzip.decompress(DEMO.read_bytes())
STREAM = (
    b"tok-of-a-test H 1 root=/\ntok-of-a-test B 1 hostname x\nn1\n\ntok-of-a-test E 1 0\ntok-of-a-test Z 1\n"
)
ASSESSMENT = b'{"schema_version":"1","netchange":"0","taken_at":"","level":0,"nodes":[]}'

READERS = {
    "show": lambda path: ("show", path),
    "before": lambda path: ("plan", "--before", path, SYSCTLS),
    "proposed": lambda path: ("plan", "--before", DEMO, path),
    "diff": lambda path: ("diff", DEMO, path),
    "report": lambda path: ("report", path),
    "bundle": lambda path: ("snapshot", "bundle", path),
}
"""Every place where a file is named."""


def made(name: str, root: Path) -> Path:
    """An input of that sort."""
    path = root / name.replace(" ", "-")
    match name:
        case "nothing":
            pass
        case "below a file":
            path = DEMO / "x"
        case "loop":
            path.symlink_to(path)
        case "empty directory":
            path.mkdir()
        case "pipe without writer":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/zero")
        case "no octets":
            path = Path("/dev/null")
        case "socket":
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(str(path))
        case "empty":
            path.touch()
        case "blank":
            path.write_text(" \n\t\n\n")
        case "mark only":
            path.write_bytes(b"\xef\xbb\xbf")
        case "picture":
            path.write_bytes(PNG)
        case "picture called json":
            path = root / "a.json"
            path.write_bytes(PNG)
        case "zip":
            path.write_bytes(b"PK\x03\x04" + bytes(30))
        case "cut gzip":
            path = root / "s.json.gz"
            path.write_bytes(DEMO.read_bytes()[:5000])
        case "broken gzip":
            data = bytearray(DEMO.read_bytes())
            data[3000:3010] = b"\xff" * 10
            path.write_bytes(data)
        case "cut archive":
            path = root / "a.tgz"
            with tarfile.open(path, "w:gz") as archive:
                archive.add(PULL_REQUEST, "x")
            path.write_bytes(path.read_bytes()[:200])
        case "other archive":
            with tarfile.open(path, "w") as archive:
                archive.add(PULL_REQUEST, "x")
        case "cut json":
            path.write_bytes(SNAPSHOT[:5000])
        case "list":
            path.write_text("[]")
        case "object":
            path.write_text("{}")
        case "kubernetes object":
            path.write_text('{"apiVersion": "v1", "kind": "List", "items": []}')
        case "key twice":
            path.write_text('{"schema_version":"1","schema_version":"1","taken_at":"","nodes":[]}')
        case "deep":
            path.write_text("[" * 200_000)
        case "large number":
            path.write_text('{"schema_version":"1","nodes":' + "9" * 10_000 + "}")
        case "other version":
            path.write_text('{"schema_version":"99","netchange":"0","taken_at":"","level":0,"nodes":[]}')
        case "no node":
            path.write_text('{"schema_version":"1","taken_at":"","nodes":[]}')
        case "node twice":
            path.write_text('{"schema_version":"1","taken_at":"","nodes":[{"name":"a"},{"name":"a"}]}')
        case "surrogate":
            path.write_text('{"schema_version":"1","taken_at":"\\ud800","nodes":[{"name":"a"}]}')
        case "latin":
            path.write_bytes(b"net.ipv4.ip_forward = 1 # gr\xfc\xdfe\n")
        case _:
            raise AssertionError(name)
    return path


EVERYWHERE = (
    "nothing", "below a file", "loop", "empty directory", "pipe without writer", "device", "no octets", "socket", "empty", "blank",
    "mark only", "picture", "picture called json", "zip", "cut gzip", "broken gzip", "cut archive", "other archive", "cut json",
    "list", "object", "kubernetes object", "key twice", "deep", "large number", "other version", "no node", "node twice",
    "surrogate", "latin",
)  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_what_is_no_input_is_refused_in_one_sentence(
    name: str, reader: str, tmp_path: Path, capsysbinary: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sort of wrong file in every place where a file is named."""
    monkeypatch.setattr("planner.collect.store.WRITER_WAIT", 0.0)
    path = made(name, tmp_path)
    sentence = refused(capsysbinary, *READERS[reader](path))

    assert f"`{path}" in sentence
    assert "Errno" not in sentence


WRONG_KIND = (
    ("show", ASSESSMENT, "it is an assessment"),
    ("before", ASSESSMENT, "it is an assessment"),
    ("before", RULES.read_bytes(), "not JSON"),
    ("before", STREAM[30:], "not JSON"),
    ("proposed", ASSESSMENT, "it is an assessment"),
    ("proposed", b"# Title\n\nwords\n", "none of the kinds"),
    ("report", SNAPSHOT, "it is a snapshot"),
    ("report", DEMO.read_bytes(), "it is compressed"),
    ("report", b'{"format": "netchange.report"}', "it is the report"),
    ("bundle", SNAPSHOT, "a snapshot or an assessment"),
    ("bundle", ASSESSMENT, "a snapshot or an assessment"),
    ("bundle", RULES.read_bytes(), "some other text"),
)


@pytest.mark.parametrize(("reader", "data", "words"), WRONG_KIND)
def test_a_file_of_another_kind_is_called_by_its_name(
    reader: str, data: bytes, words: str, tmp_path: Path, capsysbinary: Captured
) -> None:
    """Who mixed up two files learns which one he gave."""
    path = tmp_path / "a"
    path.write_bytes(data)

    assert words in refused(capsysbinary, *READERS[reader](path))


@pytest.mark.parametrize("data", [STREAM, gzip.compress(STREAM, mtime=0)])
def test_a_bundle_stands_for_its_snapshot(data: bytes, tmp_path: Path, capsysbinary: Captured) -> None:
    """`--before` takes what came from the node, without a step between."""
    path = tmp_path / "any-name"
    path.write_bytes(data)
    shown = called(capsysbinary, "show", path)

    assert (0, "") == (shown.code, shown.err)
    assert b"n1, snapshot of" in shown.out


@pytest.mark.parametrize("member", ["../../x/stream.txt", "/etc/stream.txt"])
def test_an_archive_that_points_out_of_itself_is_not_trusted(
    member: str, tmp_path: Path, capsysbinary: Captured
) -> None:
    """No member with `..` or an absolute name is read, and nothing is unpacked."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        about = tarfile.TarInfo(member)
        about.size = len(STREAM)
        archive.addfile(about, io.BytesIO(STREAM))

    assert "points out of it" in refused(capsysbinary, "show", path)
    assert [path] == list(tmp_path.iterdir())


def test_links_of_an_archive_lead_nowhere(tmp_path: Path, capsysbinary: Captured) -> None:
    """A stream that is a link to a file of the machine that reads."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        about = tarfile.TarInfo("stream.txt")
        about.type, about.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(about)

    assert "symbolic link" in refused(capsysbinary, "show", path)


@pytest.mark.parametrize("target", ["/etc/hostname", "../../secret", "/", "gone"])
def test_links_of_a_proposal_are_not_followed(target: str, tmp_path: Path, capsysbinary: Captured) -> None:
    """Who sends a pull request could have the review quote any file of the machine that reviews."""
    folder = tmp_path / "pr/etc/sysctl.d"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("net.ipv4.ip_forward = 0\n")
    (folder / "9.conf").symlink_to(target)

    assert "symbolic link" in refused(capsysbinary, "plan", "--before", DEMO, tmp_path / "pr")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path, capsysbinary: Captured) -> None:
    """Names are octets; reports are text."""
    folder = tmp_path / "pr"
    folder.mkdir()
    (folder / os.fsdecode(b"9\xff.conf")).write_text("net.ipv4.ip_forward = 0\n")

    assert "9\\xff.conf" in refused(capsysbinary, "plan", "--before", DEMO, folder)
    assert "\\xff" in refused(capsysbinary, "show", os.fsdecode(b"\xff"))


def test_names_are_shown_not_sent(capsysbinary: Captured) -> None:
    """A file name with an escape sequence does not reach the terminal as one."""
    assert "`a\\nb\\x1b[31m` does not exist" in refused(capsysbinary, "show", "a\nb\x1b[31m")


@pytest.mark.parametrize("size", [300 << 20, 5 << 30])
@pytest.mark.parametrize("reader", ["proposed", "bundle", "report"])
def test_a_large_file_is_refused_before_it_is_read(
    reader: str, size: int, tmp_path: Path, capsysbinary: Captured
) -> None:
    """One line of any length does not fill the memory: the limit of each input is told."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.write(b"net.ipv4.ip_forward = 1")
        file.truncate(size)
    if size < 1 << 30 and reader != "proposed":
        pytest.skip("within the limit of this input")
    words = READERS[reader](path)
    if reader == "proposed":
        words = (*words[:-1], SYSCTLS, path)

    assert "is larger than" in refused(capsysbinary, *words)


BOMB = "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 8)}]\n" for n in range(12)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "kind: KubeletConfiguration\nx: !!python/object/apply:os.system ['true']\n",
        "kind: KubeletConfiguration\nmaxPods: 1\nmaxPods: 2\n",
        "kind: KubeletConfiguration\nx: &a [*a]\n",
        "kind: KubeletConfiguration\n" + "x: " + "[" * 5000,
    ],
)
def test_a_hostile_configuration_is_a_change_of_text(
    text: str, tmp_path: Path, capsysbinary: Captured
) -> None:
    """Aliases that double, tags that call, keys given twice, depths without end: read by nobody, reported, and soon."""
    path = tmp_path / "pr/var/lib/kubelet/config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    shown = called(capsysbinary, "plan", "--before", DEMO, tmp_path / "pr", "--format", "json")

    assert 0 == shown.code, shown.err
    assert ["/var/lib/kubelet/config.yaml" in one["text"] for one in json.loads(shown.out)["changes"]]


@pytest.mark.parametrize(
    "change", [lambda data: data.replace(b"\n", b"\r\n"), lambda data: b"\xef\xbb\xbf" + data]
)
def test_line_ends_and_marks_of_other_editors_are_seen(
    change, tmp_path: Path, capsysbinary: Captured
) -> None:
    """CR LF and a byte-order mark: the program that would read the file stumbles over them or not, and the run tells."""
    path = tmp_path / "pr/etc/sysctl.d/90-x.conf"
    path.parent.mkdir(parents=True)
    path.write_bytes(change(b"net.ipv4.ip_forward = 0\nnet.ipv4.conf.all.rp_filter = 1\n"))
    shown = called(capsysbinary, "plan", "--before", DEMO, tmp_path / "pr", "--format", "json")
    report = json.loads(shown.out)

    assert 0 == shown.code
    assert any("rp_filter" in one["text"] for one in report["changes"])


def test_a_pipe_is_as_good_as_a_file() -> None:
    """`netchange plan --before <(ssh …) -`: every input is read once."""
    piped = launched("plan", "--before", DEMO, "--as", "sysctl", "-", stdin=SYSCTLS.read_bytes())
    state = launched("show", "-", stdin=DEMO.read_bytes())

    assert 0 == piped.code, piped.err
    assert b"ip-forward-off" in piped.out
    assert b"/dev/stdin" in piped.out
    assert b"worker-1, snapshot of" in state.out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_what_may_not_be_read_is_said_so(tmp_path: Path, capsysbinary: Captured) -> None:
    """An ordinary user names a file of root, one in a directory of root, and that directory."""
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o111)
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "s.json").write_bytes(SNAPSHOT)
    (tmp_path / "s.json").write_bytes(SNAPSHOT)
    (tmp_path / "s.json").chmod(0)
    for path in (tmp_path / "s.json", hidden / "s.json", hidden):
        for reader in READERS.values():
            # Once as root, so that every module is loaded that the other user might not be allowed to read.
            called(capsysbinary, *reader(path))
            os.seteuid(65534)
            try:
                sentence = refused(capsysbinary, *reader(path))
            finally:
                os.seteuid(0)

            assert f"`{path}" in sentence
            assert "may not be" in sentence or "Permission denied" in sentence or "is a directory" in sentence
