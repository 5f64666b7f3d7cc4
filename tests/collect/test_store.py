"""Inputs that are none get one sentence; outputs are whole or not there."""

import os
import stat
from pathlib import Path

import pytest

from planner.collect.store import read_file, read_text, write_atomically
from planner.errors import NetchangeError


def refusal(action):
    with pytest.raises(NetchangeError) as caught:
        action()
    assert caught.value.hint
    return caught.value


def test_what_is_no_readable_file_is_named_with_its_fault(tmp_path):
    """A missing file, a directory, an empty file, one that is too large."""
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(b"x" * 2049)

    assert "input-missing" == refusal(lambda: read_file(tmp_path / "none")).reference
    assert "input-missing" == refusal(lambda: read_file(tmp_path / "empty" / "below")).reference
    assert "input-is-directory" == refusal(lambda: read_file(tmp_path)).reference
    assert "input-empty" == refusal(lambda: read_file(tmp_path / "empty")).reference
    assert "input-too-large" == refusal(lambda: read_file(tmp_path / "large", limit=2048)).reference
    assert str(tmp_path / "none") in refusal(lambda: read_file(tmp_path / "none")).message
    assert 2049 == len(read_file(tmp_path / "large", limit=2049))


def test_a_device_is_no_input():
    """/dev/zero has no end, and a terminal would be waited for without a word."""
    assert "input-is-device" == refusal(lambda: read_file(Path("/dev/zero"), limit=100)).reference


def test_text_is_utf_8_with_or_without_a_byte_order_mark(tmp_path):
    """Other encodings are refused with the line, binary data as such."""
    (tmp_path / "mark").write_bytes(b"\xef\xbb\xbfa=1\n")
    (tmp_path / "latin").write_bytes(b"ok\n# gr\xfc\xdfe\n")
    (tmp_path / "binary").write_bytes(b"\x7fELF\0\0")

    assert "a=1\n" == read_text(tmp_path / "mark")
    refused = refusal(lambda: read_text(tmp_path / "latin"))
    assert "input-not-utf-8" == refused.reference
    assert "line 2" in refused.message
    assert "input-binary" == refusal(lambda: read_text(tmp_path / "binary")).reference


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path):
    """Who reads meanwhile sees the old or the new one; nothing else is left in the directory."""
    path = tmp_path / "s.json"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with path.open("rb") as reader:
        write_atomically(path, b"new")

        assert b"old" == reader.read()
    assert b"new" == path.read_bytes()
    assert 0o640 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == list(tmp_path.iterdir())


def test_a_new_file_follows_the_umask_or_is_private(tmp_path):
    """mkstemp's 0600 must not leak into ordinary output."""
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "shared", b"x")
        write_atomically(tmp_path / "own", b"x", private=True)
    finally:
        os.umask(before)

    assert 0o640 == stat.S_IMODE((tmp_path / "shared").stat().st_mode)
    assert 0o600 == stat.S_IMODE((tmp_path / "own").stat().st_mode)


def test_a_link_is_written_through(tmp_path):
    """`current.json -> 2026-01.json` stays a link."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")

    write_atomically(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert b"new" == (tmp_path / "real").read_bytes()


def test_what_cannot_be_written_changes_nothing(tmp_path):
    """No such directory, or a directory of that name: one sentence, and no temporary file behind it."""
    (tmp_path / "d").mkdir()

    assert "output-not-written" == refusal(lambda: write_atomically(tmp_path / "no" / "f", b"x")).reference
    assert "output-not-written" == refusal(lambda: write_atomically(tmp_path / "d", b"x")).reference
    assert [tmp_path / "d"] == list(tmp_path.iterdir())


def test_what_is_no_regular_file_is_written_to_directly(tmp_path):
    """`-o /dev/stdout` is common."""
    write_atomically(tmp_path / ".." / ".." / ".." / ".." / ".." / ".." / "dev" / "null", b"x")

    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
