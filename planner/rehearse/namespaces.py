"""The namespaces of a stage, seen from outside: commands, files, links and sockets go in by messages."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import planner
from planner.errors import NetchangeError
from planner.models.node import ConfigFile
from planner.rehearse.inside import wire
from planner.rehearse.inside.files import Found
from planner.rehearse.isolation import Isolation
from planner.rehearse.process import Completed

START = "import sys; sys.path.insert(0, {!r}); from planner.rehearse.inside.program import main; main()"
PATIENCE = 60.0
"""Seconds after which a side that does not answer is taken for dead."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A link that ends in this process."""

    name: str
    ethernet: bool
    index: int = 0
    carrier: bool = True


class StageFailedError(NetchangeError):
    """The namespaces could not be made, or are gone."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(reference="stage-failed", message=message, hint=hint)


class Process:
    """A command that was started on the stage."""

    def __init__(self, namespaces: "Namespaces", number: int, files: tuple[int, int]) -> None:
        self._namespaces = namespaces
        self._number = number
        self._files = files
        self._started = time.monotonic()
        self._seconds: float | None = None
        self._last = Completed(None)
        self.pid = 0
        self.error = ""
        self.status: int | None = None

    def ended(self, status: int) -> None:
        """Note the exit status."""
        self.status = status
        self._seconds = time.monotonic() - self._started

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        self._namespaces.listen(0.0)
        return self.status

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None when it did not come in time."""
        end = time.monotonic() + timeout
        while self.status is None and (left := end - time.monotonic()) > 0:
            self._namespaces.listen(left)
        return self.status

    def kill(self, signal: int = 9) -> None:
        """Send a signal to it and to all that it started and that did not leave its session."""
        if self.pid and self.status is None:
            self._namespaces.tell({"do": "kill", "pid": self.pid, "signal": signal})

    def output(self) -> Completed:
        """What it printed so far."""
        if self._files[0] < 0:
            return self._last
        out, err = (wire.whole(file).decode("utf-8", "surrogateescape") for file in self._files)
        seconds = self._seconds if self._seconds is not None else time.monotonic() - self._started
        return Completed(self.status, out, err + self.error, seconds)

    def close(self) -> Completed:
        """Keep what it printed, and give the memory back."""
        self._last = self.output()
        for file in self._files:
            if file >= 0:
                os.close(file)
        self._files = (-1, -1)
        return self._last


class Namespaces:
    """Made at once; gone when closed, or when this process ends in whatever way."""

    def __init__(
        self,
        isolation: Isolation,
        *,
        name: str,
        iptables: str = "",
        absent: Iterable[str] = (),
    ) -> None:
        self.walls = isolation
        wishes = {
            "isolation": isolation.name,
            "name": name,
            "iptables": iptables,
            "absent": sorted(absent),
        }
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        (self._links, far_links), (self._channel, far_channel) = pairs
        files = [far_links.fileno(), far_channel.fileno()]
        source = START.format(str(Path(planner.__file__).parents[1]))
        argv = [sys.executable, "-I", "-S", "-c", source, *map(str, files), str(os.getpid())]
        self._said = wire.memory(append=True)
        self._next = 0
        self._processes: dict[int, Process] = {}
        self._spawned: set[Process] = set()
        self._answers: dict[int, tuple[wire.Head, list[int]]] = {}
        self._program = subprocess.Popen(
            [*argv, json.dumps(wishes)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            pass_fds=files,
            cwd="/",
        )
        far_links.close()
        far_channel.close()
        try:
            self._greeting(self._links)
            self.weak: tuple[str, ...] = tuple(self._greeting(self._channel))
        except BaseException:
            self.close()
            raise

    def kill(self) -> None:
        """End everything at once, from any thread: whoever waits for something here is told that the stage is gone."""
        self._program.kill()

    def close(self) -> None:
        """End everything."""
        self._links.close()
        self._channel.close()
        self._program.kill()
        self._program.wait()
        with contextlib.suppress(OSError):
            os.close(self._said)
        for process in self._spawned:
            process.close()
        self._spawned.clear()

    def _greeting(self, channel: socket.socket) -> list[str]:
        ready, _, _ = select.select([channel], [], [], PATIENCE)
        message = wire.receive(channel) if ready else None
        if message is None:
            raise StageFailedError(f"the namespaces could not be made: {self._last_words()}")
        head, files = message
        if "error" in head:
            raise StageFailedError(f"the namespaces could not be made: {head['error']}")
        weak: list[str] = []
        for file in files:
            weak = json.loads(wire.whole(file))
            os.close(file)
        return weak

    def _last_words(self) -> str:
        lines = wire.whole(self._said).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "no answer"

    def tell(self, head: Mapping[str, str | int], files: Sequence[int] = ()) -> int:
        """Send a message; its number."""
        self._next += 1
        try:
            wire.send(self._channel, {"id": self._next, **head}, files)
        except OSError as error:
            raise StageFailedError(f"the stage is gone: {self._last_words()}") from error
        return self._next

    def listen(self, timeout: float) -> None:
        """Take what was said meanwhile, for at most so long."""
        while True:
            ready, _, _ = select.select([self._channel], [], [], timeout)
            if not ready:
                return
            message = wire.receive(self._channel)
            if message is None:
                raise StageFailedError(f"the stage is gone: {self._last_words()}")
            head, files = message
            number = int(head["id"])
            if "ended" in head:
                process = self._processes.pop(number, None)
                if process is not None:
                    process.ended(int(head["ended"]))
            else:
                self._answers[number] = (head, files)
            timeout = 0.0

    def _answer(self, number: int, patience: float = PATIENCE) -> tuple[wire.Head, list[int]]:
        end = time.monotonic() + patience
        while number not in self._answers:
            left = end - time.monotonic()
            if left <= 0:
                raise StageFailedError("the stage does not answer")
            self.listen(left)
        return self._answers.pop(number)

    def spawn(self, argv: Sequence[str], stdin: bytes, env: Mapping[str, str]) -> Process:
        """Start a command in a session of its own."""
        request = wire.put({"argv": list(argv), "env": dict(env)})
        given, out, err = wire.memory(stdin), wire.memory(append=True), wire.memory(append=True)
        number = self._next + 1
        process = Process(self, number, (out, err))
        self._processes[number] = process
        self._spawned.add(process)
        try:
            self.tell({"do": "spawn"}, [request, given, out, err])
        finally:
            os.close(request)
            os.close(given)
        head, _ = self._answer(number)
        process.pid = int(head["pid"])
        if "error" in head:
            process.error = f"{head['error']}\n"
            process.ended(127)
            self._processes.pop(number, None)
        return process

    def run(self, argv: Sequence[str], stdin: bytes, env: Mapping[str, str], timeout: float) -> Completed:
        """Run a command to its end, or end it at the deadline."""
        process = self.spawn(argv, stdin, env)
        if process.wait(timeout) is None:
            process.kill()
            process.wait(PATIENCE)
            process.status = None
        self._spawned.discard(process)
        return process.close()

    def run_with_large_messages(self, argv: Sequence[str], stdin: bytes) -> Completed:
        """Run a netlink program with any size of message, as only root outside of the stage may. For rebuilding only."""
        started = time.monotonic()
        files = [wire.put(list(argv)), wire.memory(stdin), wire.memory(append=True), wire.memory(append=True)]
        try:
            wire.send(self._links, {"id": 0, "do": "run"}, files)
            message = wire.receive(self._links)
            if message is None:
                raise StageFailedError("the stage is gone")
            out, err = (wire.whole(file).decode("utf-8", "surrogateescape") for file in files[2:])
        finally:
            for file in files:
                os.close(file)
        return Completed(int(message[0]["ended"]), out, err, time.monotonic() - started)

    def clear(self) -> None:
        """End everything that runs here."""
        self._done(self.tell({"do": "clear"}))

    def _done(self, number: int, patience: float = PATIENCE) -> list[int]:
        head, files = self._answer(number, patience)
        if "error" in head:
            raise StageFailedError(str(head["error"]))
        return files

    def _body(self, number: int) -> object:
        (file,) = self._done(number)
        try:
            found: object = json.loads(wire.whole(file))
        finally:
            os.close(file)
        return found

    def _with(self, do: str, value: object) -> list[object]:
        body = wire.put(value)
        try:
            found = self._body(self.tell({"do": do}, [body]))
        finally:
            os.close(body)
        return found if isinstance(found, list) else []

    def write(self, files: Mapping[str, ConfigFile | None]) -> tuple[str, ...]:
        """Put files there, or take them away; a sentence for each that could not be written."""
        entries = [
            {
                "path": path,
                "text": file.text if file else None,
                "link": file.link_to if file else "",
                "mode": (file.mode if file else "") or "0644",
            }
            for path, file in files.items()
        ]
        return tuple(str(line) for line in self._with("write", entries))

    def sysctls(self, writes: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Write to files below /proc/sys, in order; path and reason of those that were refused."""
        found: dict[str, str] = {}
        for pair in self._with("sysctls", list(writes)):
            if isinstance(pair, list):
                found[str(pair[0])] = str(pair[1])
        return found

    def read(self, path: str) -> str | None:
        """A file; None when it cannot be read."""
        found = self._body(self.tell({"do": "read", "path": path}))
        return found if isinstance(found, str) else None

    def files(self, patterns: Sequence[str], paths: Sequence[str]) -> dict[str, Found]:
        """What is there of the paths, and of what matches a pattern of the shell, by path."""
        body = wire.put([list(patterns), list(paths)])
        try:
            found = self._body(self.tell({"do": "files"}, [body]))
        finally:
            os.close(body)
        return found if isinstance(found, dict) else {}

    def values(self, trees: Sequence[str]) -> str:
        """Values of all files below /proc/sys that are named, as `grep -r` prints them."""
        body = wire.put(list(trees))
        try:
            (file,) = self._done(self.tell({"do": "values"}, [body]))
        finally:
            os.close(body)
        try:
            return wire.whole(file).decode("utf-8", "surrogateescape")
        finally:
            os.close(file)

    def start(self, commands: Sequence[Sequence[str]]) -> int:
        """Start commands side by side, without standard input, for `ended`."""
        body = wire.put([list(argv) for argv in commands])
        try:
            return self.tell({"do": "together"}, [body])
        finally:
            os.close(body)

    def ended(self, number: int, timeout: float) -> tuple[Completed, ...]:
        """What they left behind, once the last has ended."""
        files = self._done(number, timeout)
        try:
            statuses = json.loads(wire.whole(files[0]))
            texts = [wire.whole(file).decode("utf-8", "surrogateescape") for file in files[1:]]
        finally:
            for file in files:
                os.close(file)
        return tuple(map(Completed, statuses, texts[::2], texts[1::2]))

    def socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """A socket of the stage's network."""
        (file,) = self._done(
            self.tell({"do": "socket", "family": family, "type": kind, "protocol": protocol})
        )
        return socket.socket(family, kind, protocol, fileno=file)

    def park(self) -> str:
        """Path of a second network, empty and silent, that far ends of links can be put into."""
        return str(self._body(self.tell({"do": "park"})))

    def far_end(self, parked: str, link: str, *, up: bool) -> int:
        """Descriptor of the far end of a link: for frames, as that of a stand-in."""
        (file,) = self._done(self.tell({"do": "far end", "parked": parked, "link": link, "up": int(up)}))
        return file

    def open_links(self, wanted: Sequence[StandIn]) -> tuple[dict[str, int], dict[str, str]]:
        """Descriptors of links that were made, and why others were not."""
        made: dict[str, int] = {}
        failed: dict[str, str] = {}
        body = wire.put([[one.name, one.ethernet, one.index, one.carrier] for one in wanted])
        try:
            wire.send(self._links, {"id": 0, "do": "open"}, [body])
        finally:
            os.close(body)
        for one in wanted:
            message = wire.receive(self._links)
            if message is None:
                raise StageFailedError("the stage is gone")
            head, files = message
            if "error" in head:
                failed[one.name] = str(head["error"])
            else:
                made[one.name] = files[0]
        return made, failed
