"""Process 1 of a stage: starts what it is told to, reaps everything, and ends when the outside does."""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from planner.rehearse.inside import kernel, wire
from planner.rehearse.inside.files import found as found_files
from planner.rehearse.inside.values import Values

SOL_PACKET, PACKET_IGNORE_OUTGOING, ALL_PROTOCOLS = 263, 23, 3
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
NOT_FOUND = 127
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Group:
    """Commands that run side by side, and are told of when the last has ended."""

    number: int
    left: int
    statuses: list[int]
    outputs: list[int] = field(default_factory=list)


Started = dict[int, tuple[Group, int] | int]
"""By process: the message that it was started by, or its group and its place there."""


def serve(channel: socket.socket, outside: int) -> None:
    """Until the other side is gone. `outside` becomes readable when its process ends."""
    os.environ.clear()
    os.environ.update({"PATH": PATH, "LC_ALL": "C", "HOME": "/root"})
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    started: Started = {}
    values = Values()
    waiting = select.poll()
    for file in (channel.fileno(), woken, outside):
        waiting.register(file, select.POLLIN)
    while True:
        ready = {file for file, _ in waiting.poll()}
        if outside in ready:
            return
        if woken in ready:
            os.read(woken, 4096)
            _reap(channel, started, os.WNOHANG)
        if channel.fileno() in ready:
            message = wire.receive(channel)
            if message is None:
                return
            head, files = message
            try:
                _do(channel, head, files, started, values)
            finally:
                for file in files:
                    os.close(file)


def _reap(channel: socket.socket, started: Started, how: int) -> None:
    """Take what has ended; without WNOHANG, until nothing is left: orphans become children of process 1."""
    while True:
        try:
            pid, status = os.waitpid(-1, how)
        except ChildProcessError:
            return
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        match started.pop(pid, None):
            case int(number):
                wire.send(channel, {"id": number, "ended": code})
            case (group, place):
                group.statuses[place] = code
                _one_less(channel, group)


def _do(channel: socket.socket, head: wire.Head, files: list[int], started: Started, values: Values) -> None:
    number = int(head["id"])
    match head["do"]:
        case "spawn":
            _spawn(channel, number, files, started)
        case "together":
            _together(channel, number, json.loads(wire.whole(files[0])), started)
        case "kill":
            _kill(int(head["pid"]), int(head["signal"]))
        case "clear":
            _kill_all()
            _reap(channel, started, 0)
            wire.send(channel, {"id": number, "done": 0})
        case "write":
            _answer(channel, number, list(_write(json.loads(wire.whole(files[0])))))
        case "sysctls":
            _answer(channel, number, list(_sysctls(json.loads(wire.whole(files[0])))))
        case "read":
            _answer(channel, number, _read(str(head["path"])))
        case "values":
            _raw(channel, number, values.read(json.loads(wire.whole(files[0]))))
        case "files":
            patterns, paths = json.loads(wire.whole(files[0]))
            _answer(channel, number, found_files(patterns, paths))
        case "socket":
            _socket(channel, head)
        case "park":
            _answer(channel, number, _park())
        case "far end":
            _far_end(channel, head)
        case other:
            wire.send(channel, {"id": number, "error": f"`{other}` is nothing that can be done here"})


def _answer(channel: socket.socket, number: int, value: object) -> None:
    body = wire.put(value)
    wire.send(channel, {"id": number, "done": 0}, [body])
    os.close(body)


def _raw(channel: socket.socket, number: int, value: bytes) -> None:
    body = wire.memory(value)
    wire.send(channel, {"id": number, "done": 0}, [body])
    os.close(body)


def _spawn(channel: socket.socket, number: int, files: list[int], started: Started) -> None:
    """Descriptors: the request, then standard input, output and error."""
    request = json.loads(wire.whole(files[0]))
    argv: list[str] = request["argv"]
    try:
        pid = _start(argv, {**os.environ, **request["env"]}, files[1:4])
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        wire.send(channel, {"id": number, "pid": 0, "error": f"{argv[0]}: {why}"})
        return
    started[pid] = number
    wire.send(channel, {"id": number, "pid": pid})


def _together(channel: socket.socket, number: int, commands: list[list[str]], started: Started) -> None:
    """Without standard input. The answer holds two descriptors for each, then the statuses."""
    group = Group(number, len(commands) + 1, [NOT_FOUND] * len(commands))
    nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    for place, argv in enumerate(commands):
        out, err = wire.memory(append=True), wire.memory(append=True)
        group.outputs += (out, err)
        try:
            pid = _start(argv, dict(os.environ), (nothing, out, err))
        except (OSError, ValueError) as error:
            os.write(err, f"{argv[0]}: {error}\n".encode())
            group.left -= 1
            continue
        started[pid] = (group, place)
    os.close(nothing)
    _one_less(channel, group)


def _one_less(channel: socket.socket, group: Group) -> None:
    group.left -= 1
    if group.left:
        return
    statuses = wire.put(group.statuses)
    files = [statuses, *group.outputs]
    wire.send(channel, {"id": group.number, "done": 0}, files)
    for file in files:
        os.close(file)


def _start(argv: list[str], environment: dict[str, str], files: Iterable[int]) -> int:
    """A command in a session of its own, with these as standard input, output and error."""
    return os.posix_spawnp(
        argv[0],
        argv,
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files)],
        setsid=True,
        setsigdef=[signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ],
    )


def _kill(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _kill_all() -> None:
    """Everything but process 1 itself, which gets no signal from this (kill(2))."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return


def _write(entries: Iterable[dict[str, str | None]]) -> Iterable[str]:
    """Files with the directories above them. A sentence for each that could not be written."""
    for entry in entries:
        path = Path(entry["path"] or "")
        link, text = entry["link"], entry["text"]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if link:
                path.symlink_to(link)
            elif text is not None:
                path.write_bytes(text.encode("utf-8", "surrogateescape"))
                path.chmod(int(entry["mode"] or "0644", 8))
        except OSError as error:
            yield f"{path}: {error.strerror}"


def _sysctls(writes: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Path and value, in order. Path and reason of each that was refused."""
    for path, value in writes:
        try:
            file = os.open(path, os.O_WRONLY)
            try:
                os.write(file, value.encode() + b"\n")
            finally:
                os.close(file)
        except OSError as error:
            yield path, error.strerror or str(error)


def _read(path: str) -> str | None:
    try:
        return Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None


def _socket(channel: socket.socket, head: wire.Head) -> None:
    number = int(head["id"])
    try:
        made = socket.socket(int(head["family"]), int(head["type"]), int(head["protocol"]))
    except OSError as error:
        wire.send(channel, {"id": number, "error": f"socket: {error.strerror}"})
        return
    with made:
        wire.send(channel, {"id": number, "done": 0}, [made.fileno()])


def _park() -> str:
    """A second network for the far ends of links, and the path by which this process holds it.

    Nothing in it speaks: what is read at a far end came from the stage.
    """
    ready, done = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            kernel.unshare(kernel.NEW_NET)
            for name in ("all", "default"):
                with contextlib.suppress(OSError):
                    Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_bytes(b"1")
            os.write(done, b".")
            signal.pause()
        finally:
            os._exit(0)
    os.close(done)
    os.read(ready, 1)
    os.close(ready)
    held = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    os.kill(pid, signal.SIGKILL)
    return f"/proc/{os.getpid()}/fd/{held}"


def _far_end(channel: socket.socket, head: wire.Head) -> None:
    """A socket that sends into a link and reads what comes out of it, at its end in the second network."""
    number = int(head["id"])
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        parked = os.open(str(head["parked"]), os.O_RDONLY | os.O_CLOEXEC)
        kernel.setns(parked, kernel.NEW_NET)
        os.close(parked)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as made:
            made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            link = str(head["link"])
            if head["up"]:
                # Not when it is made: a veth cannot go up before it has its other end (drivers/net/veth.c, veth_open).
                request = struct.pack("16sH22x", link.encode(), IFF_UP)
                fcntl.ioctl(made, SIOCSIFFLAGS, request)
            made.bind((link, ALL_PROTOCOLS))
            wire.send(channel, {"id": number, "done": 0}, [made.fileno()])
    except OSError as error:
        wire.send(channel, {"id": number, "error": f"{head['link']}: {error.strerror}"})
    finally:
        kernel.setns(home, kernel.NEW_NET)
        os.close(home)
