"""The process that makes a stage's namespaces, holds them, and opens links that end outside.

Three processes: this one, which keeps the rights of who started it and joins the stage's network only; a second that
becomes root of a user namespace; and process 1 of the stage. Each ends with the one before it, also when that is killed.
"""

import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Sequence

from planner.rehearse.inside import kernel, root, serve, wire
from planner.rehearse.inside.values import allow_many_files

IDS = (1879048192, 2147418112)
"""Where a block of 65,536 user ids lies that nobody uses: systemd's list of ids names the range as unused
(docs/UIDS-GIDS.md). The second is tried where the first is not mapped."""
COUNT = 65536
NOBODY = 65534
REST = (
    kernel.NEW_MOUNTS | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS | kernel.NEW_PID | kernel.NEW_CGROUP
)
TUNSETIFF, TUNSETPERSIST, TUNSETIFINDEX, TUNSETCARRIER = 0x400454CA, 0x400454CB, 0x400454DA, 0x400454E2
TUN, TAP, NO_HEADER = 1, 2, 0x1000
DEEP = 1 << 30


def main() -> None:
    """Arguments: descriptors of two channels, the process that it is for, and what the root is to be like, as JSON."""
    mine, inner = (socket.socket(fileno=int(word)) for word in sys.argv[1:3])
    outside = int(sys.argv[3])
    wishes = json.loads(sys.argv[4])
    # A process that is gone by now was our parent; ends of its threads are no ends of it, so no signal is asked for.
    watched = os.pidfd_open(outside)
    for channel in (mine, inner):
        channel.set_inheritable(False)
    if os.getppid() != outside:
        return
    allow_many_files()
    _allow_deep_stacks()
    try:
        _stage(mine, inner, watched, wishes)
    except OSError as error:
        wire.send(mine, {"id": 0, "error": f"{error.strerror or error}"})


def _allow_deep_stacks() -> None:
    """For what runs on the stage: iptables-nft-save 1.8.9 recurses over its chains, and dies of 102,000 with the usual 8 MiB."""
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(
        resource.RLIMIT_STACK, (DEEP if most == resource.RLIM_INFINITY else min(DEEP, most), most)
    )


def _stage(mine: socket.socket, inner: socket.socket, watched: int, wishes: dict[str, object]) -> None:
    if wishes["isolation"] == "OWN":
        _become_root_of_nothing()
    told, tell = os.pipe2(os.O_CLOEXEC)
    asked, ask = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        mine.close()
        os.close(told)
        os.close(ask)
        try:
            _second(inner, watched, tell, asked, wishes)
        except BaseException:  # noqa: BLE001 (told, and not carried on into what the parent does)
            traceback.print_exc()
        finally:
            os._exit(0)
    inner.close()
    os.close(tell)
    os.close(asked)
    if wishes["isolation"] == "MAPPED":
        _expect(told)
        _map(pid)
        os.write(ask, b".")
    _expect(told)
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    kernel.setns(network, kernel.NEW_NET)
    os.close(network)
    os.write(ask, b".")
    wire.send(mine, {"id": 0, "done": 0})
    _open_links(mine, watched)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _expect(pipe: int) -> None:
    """Wait for the other side, which writes a reason instead of a dot when it fails."""
    said = os.read(pipe, 4096)
    if said[:1] != b".":
        raise OSError(0, said.decode("utf-8", "replace") or "the process of the namespaces ended")


def _become_root_of_nothing() -> None:
    """Without root: a user namespace first, with its ids, and the rest in a second step.

    In one step the network's files in /proc would belong to nobody (measured: iptables-legacy cannot read its tables).
    """
    user, group = os.getuid(), os.getgid()
    kernel.unshare(kernel.NEW_USER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {user} 1")
    _write("/proc/self/gid_map", f"0 {group} 1")


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def _map(pid: int) -> None:
    for first in IDS:
        try:
            _write(f"/proc/{pid}/uid_map", f"0 {first} {COUNT}")
            _write(f"/proc/{pid}/gid_map", f"0 {first} {COUNT}")
        except OSError:
            continue
        return
    # Root of a container that has but few ids itself.
    _write(f"/proc/{pid}/uid_map", f"0 {NOBODY} 1")
    _write(f"/proc/{pid}/gid_map", f"0 {NOBODY} 1")


def _second(inner: socket.socket, watched: int, tell: int, asked: int, wishes: dict[str, object]) -> None:
    """Root of the user namespace; its child is process 1."""
    try:
        if wishes["isolation"] == "MAPPED":
            kernel.unshare(kernel.NEW_USER)
            os.write(tell, b".")
            os.read(asked, 1)
            os.setresgid(0, 0, 0)
            os.setgroups([])
            os.setresuid(0, 0, 0)
        # Changing ids forgets it (prctl(2)), and files of /proc belong to the machine's root until it is said again.
        kernel.prctl(kernel.DIE_WITH_PARENT, signal.SIGKILL)
        kernel.prctl(kernel.SET_DUMPABLE, 1)
        kernel.unshare(REST)
    except OSError as error:
        os.write(tell, str(error.strerror or error).encode())
        return
    os.write(tell, b".")
    if os.read(asked, 1) != b".":
        return
    pid = os.fork()
    if pid == 0:
        kernel.prctl(kernel.DIE_WITH_PARENT, signal.SIGKILL)
        os.close(tell)
        os.close(asked)
        _first(inner, watched, wishes)
        return
    inner.close()
    os.waitpid(pid, 0)


def _first(inner: socket.socket, watched: int, wishes: dict[str, object]) -> None:
    absent = wishes["absent"]
    try:
        os.umask(0o022)
        socket.sethostname(str(wishes["name"])[:64])
        os.chdir("/")
        weak = root.build(absent if isinstance(absent, list) else (), iptables=str(wishes["iptables"]))
        os.chdir("/")
        if wishes["isolation"] == "PLAIN":
            root.keep_away()
    except OSError as error:
        wire.send(inner, {"id": 0, "error": f"{error.strerror}"})
        return
    body = wire.put(weak)
    wire.send(inner, {"id": 0, "done": 0}, [body])
    os.close(body)
    serve.serve(inner, watched)


def _open_links(mine: socket.socket, watched: int) -> None:
    """Open links, and run what needs rights outside, until the other side is gone."""
    waiting = select.poll()
    waiting.register(mine, select.POLLIN)
    waiting.register(watched, select.POLLIN)
    while True:
        ready = {file for file, _ in waiting.poll()}
        if watched in ready:
            return
        message = wire.receive(mine)
        if message is None:
            return
        head, files = message
        body = json.loads(wire.whole(files[0]))
        if head["do"] == "run":
            _run_with_large_messages(mine, watched, body, files[1:])
        else:
            for wanted in body:
                _open_link(mine, wanted)
        for file in files:
            os.close(file)


def _open_link(mine: socket.socket, wanted: Sequence[str | int]) -> None:
    name, tap, index, carrier = wanted
    try:
        file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        wire.send(mine, {"id": 0, "error": f"/dev/net/tun: {error.strerror}"})
        return
    try:
        if int(index):
            fcntl.ioctl(file, TUNSETIFINDEX, struct.pack("I", int(index)))
        flags = (TAP if tap else TUN) | NO_HEADER
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", str(name).encode(), flags))
        # Closed, it stays until its network goes, and with it all at once. Links that go one by one each wait for the whole
        # kernel (net/core/dev.c, netdev_run_todo: rcu_barrier): 22 ms, a tenth of a millisecond so (measured).
        fcntl.ioctl(file, TUNSETPERSIST, 1)
        if not carrier:
            fcntl.ioctl(file, TUNSETCARRIER, struct.pack("I", 0))
        wire.send(mine, {"id": 0, "done": 0}, [file])
    except OSError as error:
        wire.send(mine, {"id": 0, "error": f"{name}: {error.strerror}"})
    finally:
        os.close(file)


def _run_with_large_messages(
    mine: socket.socket, watched: int, argv: Sequence[str], files: Sequence[int]
) -> None:
    """Run a program of the machine on the stage's network, with the one right to send messages of any size.

    A table of 75,000 rules is one message of iptables-nft, and only who may administer the machine's network may go beyond
    net.core.wmem_max (net/core/sock.c, SO_SNDBUFFORCE): root of a user namespace may not.
    """
    pid = os.fork()
    if pid == 0:
        try:
            kernel.become(IDS[0], kernel.NET_ADMIN)
            kernel.prctl(kernel.DIE_WITH_PARENT, signal.SIGKILL)
            for number, file in enumerate(files):
                os.dup2(file, number)
            os.execvp(argv[0], list(argv))  # noqa: S606 (the argument list is that of `filters`, not of a plan)
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)
    ending = os.pidfd_open(pid)
    waiting = select.poll()
    waiting.register(ending, select.POLLIN)
    waiting.register(watched, select.POLLIN)
    if watched in {file for file, _ in waiting.poll()}:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(ending)
    wire.send(mine, {"id": 0, "ended": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
