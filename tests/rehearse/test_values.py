"""The reader of sysctls: many files are read by several processes, and nothing is opened or listed that is known."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from planner.rehearse.inside import values
from planner.rehearse.inside.values import USUAL, Files, Listing, Values


def written(folder: Path, count: int) -> tuple[str, ...]:
    paths = [folder / f"{number:03}" for number in range(count)]
    for path in paths:
        path.write_text(f"{path.name}\n")
    return tuple(map(str, paths))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """A directory with so many directories of links, each with two files."""

    def made(links: int) -> str:
        at = tmp_path / str(links) / "conf"
        for number in range(links):
            (at / f"veth{number}").mkdir(parents=True)
            for key in ("forwarding", "rp_filter"):
                (at / f"veth{number}" / key).write_text("0\n")
        monkeypatch.setattr(values, "BY_LINK", frozenset({str(at)}))
        return str(at)

    return made


class TestFiles:
    def test_what_there_is_no_room_for_is_read_by_the_next(self, tmp_path: Path) -> None:
        """As by one reader that may open as many files as it likes: no line less, no line twice, the same order."""
        paths = written(tmp_path, 23)
        whole = Files(room=100).read(paths)
        several = Files(room=5)

        assert [f"{path}:{path[-3:]}" for path in paths] == whole.decode().splitlines()
        assert whole == several.read(paths)
        assert whole == several.read(paths)

    def test_the_next_sees_files_that_come_and_go(self, tmp_path: Path) -> None:
        paths = written(tmp_path, 12)
        several = Files(room=5)
        several.read(paths)
        other = (*paths[3:9], *paths[10:])

        assert Files(room=100).read(other) == several.read(other)

    def test_nothing_is_opened_twice(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files, paths = Files(room=100), written(tmp_path, 9)
        files.read(paths)
        monkeypatch.setattr(values.os, "open", pytest.fail)

        assert 9 == files.read(paths).count(b"\n")

    def test_a_long_value_is_read_whole(self, tmp_path: Path) -> None:
        """Longer than what is asked for at first."""
        path = tmp_path / "reserved"
        path.write_text("7," * USUAL + "9\n")

        assert f"{path}:{'7,' * USUAL}9\n" == Files(room=9).read((str(path),)).decode()

    def test_what_cannot_be_read_is_told(self, tmp_path: Path) -> None:
        path = str(tmp_path / "gone")

        assert f"grep: {path}: No such file or directory\n" == Files(room=9).read((path,)).decode()


class TestListing:
    def test_directories_of_links_are_listed_once(
        self, tree: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The second time as many directories are read with thirty links as with three."""
        listed: list[str] = []
        scandir = os.scandir

        def counted(path: str) -> Iterator[os.DirEntry[str]]:
            listed.append(path)
            return scandir(path)

        found: dict[int, int] = {}
        for links in (3, 30):
            listing, at = Listing(), tree(links)
            first = listing.files([at])
            monkeypatch.setattr(values.os, "scandir", counted)
            listed.clear()
            assert first == listing.files([at])
            monkeypatch.setattr(values.os, "scandir", scandir)
            found[links] = len(listed)

        assert {3: 1, 30: 1} == found

    def test_a_directory_that_came_again_is_listed_again(self, tree: Callable[[int], str]) -> None:
        listing, at = Listing(), tree(3)
        listing.files([at])
        link = Path(at, "veth1")
        link.rename(Path(at).with_name("aside"))
        link.mkdir()
        (link / "mtu").write_text("1500\n")

        assert [str(link / "mtu")] == [path for path in listing.files([at]) if "veth1" in path]


class TestValues:
    def test_a_reader_that_was_ended_is_started_again(self, tmp_path: Path) -> None:
        """`clear` ends everything on a stage but its first process."""
        written(tmp_path, 4)
        readers, others = Values(), children()
        first = readers.read([str(tmp_path)])
        (pid,) = children() - others
        os.kill(pid, 9)
        os.waitpid(pid, 0)

        assert sorted(first.splitlines()) == sorted(readers.read([str(tmp_path)]).splitlines())


def children() -> set[int]:
    """Processes that this one has started."""
    return {
        int(word)
        for tasks in Path("/proc/self/task").glob("*/children")
        for word in tasks.read_text().split()
    }
