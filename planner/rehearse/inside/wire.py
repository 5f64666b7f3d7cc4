"""What the two sides of a stage say to each other: a head in JSON, descriptors, and bodies as files in memory."""

import fcntl
import json
import os
import socket
from collections.abc import Mapping, Sequence

Head = dict[str, str | int]
HEAD = 65536
DESCRIPTORS = 200
"""Below SCM_MAX_FD (include/net/scm.h)."""


def send(channel: socket.socket, head: Mapping[str, str | int], files: Sequence[int] = ()) -> None:
    """One message."""
    socket.send_fds(channel, [json.dumps(head).encode()], list(files))


def receive(channel: socket.socket) -> tuple[Head, list[int]] | None:
    """The next message; None at the end of the conversation."""
    data, files, _, _ = socket.recv_fds(channel, HEAD, DESCRIPTORS)
    if not data:
        return None
    for file in files:
        os.set_inheritable(file, False)
    head: Head = json.loads(data)
    return head, files


def memory(data: bytes = b"", *, append: bool = False) -> int:
    """A file without a name. With `append`, several writers do not write over each other."""
    file = os.memfd_create("netchange", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.lseek(file, 0, os.SEEK_SET)
    if append:
        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file


def whole(file: int) -> bytes:
    """Everything that a file in memory holds."""
    size = os.fstat(file).st_size
    parts: list[bytes] = []
    at = 0
    while at < size:
        part = os.pread(file, size - at, at)
        if not part:
            break
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def put(value: object) -> int:
    """A value as a body."""
    return memory(json.dumps(value).encode())
