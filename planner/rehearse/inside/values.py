"""Values of sysctls, read again and again: the files stay open, because to open one takes longer than to read it.

That is done by processes of their own: who starts programs has to close for each of them what is open (measured on 2,142 files, kept
open: 5 ms; `grep -r`: 20 ms). Of a node with a thousand links there are 130,000 files, and no process may have as many open: the
next reader has the rest. What is below the directory of a link is listed again only where it is another directory.
"""

import contextlib
import json
import os
import resource
import signal
import socket
from collections.abc import Iterable, Iterator, Mapping

from planner.rehearse.inside import wire

MORE = 64
"""Descriptors that are left for other things."""
USUAL, SIZE = 512, 65536
"""Octets that are asked for at first, and where they are all given. The kernel clears as much memory for every read
(fs/proc/proc_sysctl.c, proc_sys_call_handler), which takes longer than the value."""
BY_LINK = frozenset(
    f"/proc/sys/net/{family}/{group}" for family in ("ipv4", "ipv6") for group in ("conf", "neigh")
)
"""Directories with a directory for each link. What is in such a one is registered at once and goes at once (net/ipv4/devinet.c,
__devinet_sysctl_register; net/ipv6/addrconf.c; net/core/neighbour.c), and a link that comes again has other inodes."""


class Values:
    """The readers, started when they are first asked, and again when somebody has ended them."""

    def __init__(self) -> None:
        self._first = Reader()

    def read(self, trees: list[str]) -> bytes:
        """`PATH:LINE` for every line of every file below; what could not be read, as grep says it."""
        for _ in range(2):
            try:
                self._first.ask({"trees": trees})
                return self._first.answer()
            except OSError:
                self._first.close()
        return b""


def allow_many_files() -> None:
    """Let the reader, which is started later and has fewer rights, keep as many files open as the machine allows for one process."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/sys/fs/nr_open") as file:  # noqa: PTH123 - as elsewhere in this program
            most = int(file.read())
        usual, own = resource.getrlimit(resource.RLIMIT_NOFILE)
        if own != resource.RLIM_INFINITY and own < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))


class Reader:
    """Another process that reads; it ends when this object is closed, or with the process that asked it."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None

    def ask(self, what: Mapping[str, object], unwanted: Iterable[int] = ()) -> None:
        """Let it read; `unwanted` are descriptors that it is not to keep."""
        if self._channel is None:
            self._channel = _started(unwanted)
        request = wire.put(what)
        try:
            wire.send(self._channel, {}, [request])
        finally:
            os.close(request)

    def answer(self) -> bytes:
        """What it has read. Raises OSError when it is gone."""
        message = wire.receive(self._channel) if self._channel is not None else None
        if message is None:
            raise BrokenPipeError
        (file,) = message[1]
        try:
            return wire.whole(file)
        finally:
            os.close(file)

    def close(self) -> None:
        """End it."""
        if self._channel is not None:
            self._channel.close()
        self._channel = None


def _started(unwanted: Iterable[int]) -> socket.socket:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            near.close()
            for file in unwanted:
                os.close(file)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _serve(far)
        finally:
            os._exit(0)
    far.close()
    return near


def _serve(channel: socket.socket) -> None:
    """Asked for `trees`, or for `paths` that are known to be files; without either, for the same paths again."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    files = Files(most - MORE)
    listing = Listing()
    paths: tuple[str, ...] = ()
    while (message := wire.receive(channel)) is not None:
        (request,) = message[1]
        what = json.loads(wire.whole(request))
        os.close(request)
        paths = listing.files(what["trees"]) if "trees" in what else tuple(what.get("paths", paths))
        answer = wire.memory(files.read(paths))
        wire.send(channel, {}, [answer])
        os.close(answer)


def _at_once(file: int) -> bytes:
    """Numbers are given to the first read only, at the beginning (kernel/sysctl.c, do_proc_dointvec)."""
    value = os.pread(file, USUAL, 0)
    return value if len(value) < USUAL else os.pread(file, SIZE, 0)


class Files:
    """What is open, and who reads what there is no room for."""

    def __init__(self, room: int) -> None:
        """`room`: files that may be open."""
        self._room = room
        self._held: dict[str, int] = {}
        self._paths: tuple[str, ...] = ()
        self._next = Reader()

    def read(self, paths: tuple[str, ...]) -> bytes:
        """All of them, as `Values.read` gives it."""
        own, rest = paths[: self._room], paths[self._room :]
        if rest:
            same = rest == self._paths[self._room :]
            self._next.ask({} if same else {"paths": rest}, self._held.values())
        if paths != self._paths:
            for gone in self._held.keys() - set(own):
                os.close(self._held.pop(gone))
            self._paths = paths
        read = self._own(own)
        return read + self._next.answer() if rest else read

    def _own(self, paths: Iterable[str]) -> bytes:
        lines: list[bytes] = []
        refused: list[bytes] = []
        for path in paths:
            try:
                value = self._value(path)
            except OSError as error:
                refused.append(f"grep: {path}: {error.strerror}".encode())
                continue
            lines += [b"%s:%s" % (path.encode(), line) for line in value.splitlines()]
        return b"\n".join((*lines, *refused, b""))

    def _value(self, path: str) -> bytes:
        file = self._held.get(path, -1)
        if file >= 0:
            try:
                return _at_once(file)
            except OSError:
                # Of a link that went and came again (fs/proc/proc_sysctl.c, grab_header), or not to be read at all.
                os.close(self._held.pop(path))
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._held[path] = file
        return _at_once(file)


class Listing:
    """Which files there are, with what was found in the directories of links, by path and inode."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[str, ...]] = {}

    def files(self, trees: Iterable[str]) -> tuple[str, ...]:
        """Of trees, or files."""
        seen: dict[tuple[str, int], tuple[str, ...]] = {}
        found = tuple(path for tree in trees for path in self._below(tree, seen))
        self._known = seen
        return found

    def _below(self, path: str, seen: dict[tuple[str, int], tuple[str, ...]]) -> Iterator[str]:
        try:
            entries = list(os.scandir(path))
        except NotADirectoryError:
            yield path
            return
        except FileNotFoundError:
            return
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry.path
            elif path in BY_LINK:
                place = entry.path, entry.inode()
                known = self._known.get(place)
                seen[place] = tuple(self._below(entry.path, seen)) if known is None else known
                yield from seen[place]
            else:
                yield from self._below(entry.path, seen)
