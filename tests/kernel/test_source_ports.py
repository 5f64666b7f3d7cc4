"""What the risks of source ports say of the kernel, asked of the kernel."""

import json
import sys

import pytest

CONNECT = """
import errno, json, socket
server = socket.socket(); server.bind(("127.0.0.1", 9000)); server.listen(64)
daemon = socket.socket()
if {listening}:
    daemon.bind(("127.0.0.1", 20001)); daemon.listen()
taken, error, open_sockets = [], "", []
for _ in range(4):
    client = socket.socket()
    try:
        client.connect(("127.0.0.1", 9000))
    except OSError as problem:
        error = errno.errorcode[problem.errno]
        break
    taken.append(client.getsockname()[1]); open_sockets.append(client)
try:
    late = socket.socket(); late.bind(("127.0.0.1", 20001)); restart = "works"
except OSError as problem:
    restart = errno.errorcode[problem.errno]
print(json.dumps([sorted(taken), error, restart]))
"""


def connections(node, *, ports="20000 20003", reserved="", listening=False):
    """Four connections of one process: the source ports they get, the error that ends them, and a later bind to 20001."""
    node.sh(
        f"sysctl -qw net.ipv4.ip_local_port_range='{ports}'; sysctl -qw net.ipv4.ip_local_reserved_ports='{reserved}'"
    )
    script = CONNECT.replace("{listening}", str(listening))
    return json.loads(node.run([sys.executable, "-c", script]).stdout)


def test_a_listener_keeps_its_port_and_a_stopped_daemon_loses_it(node):
    """`port-range-over-listeners`: harmless while the daemon listens, `address in use` when it comes back."""
    assert [[20000, 20002, 20003], "EADDRNOTAVAIL", "EADDRINUSE"] == connections(node, listening=True)
    taken, error, restart = connections(node)
    assert ([20000, 20001, 20002, 20003], "", "EADDRINUSE") == (taken, error, restart)


def test_reserved_ports_are_passed_over(node):
    """`port-range-over-nodeports`: what is reserved is not handed out."""
    assert [[20000, 20002, 20003], "EADDRNOTAVAIL", "works"] == connections(node, reserved="20001")


def test_a_range_that_is_reserved_whole_ends_every_connection(node):
    """`port-range-too-narrow`: without a port connect() fails, whatever the destination."""
    assert [[], "EADDRNOTAVAIL", "works"] == connections(node, reserved="20000-20003")


@pytest.mark.parametrize("written", ["30000", "8080,30000-32767"])
def test_a_write_replaces_the_reserved_list(node, written):
    """`reserved-ports-lost`: a second file does not add to the first."""
    node.sh(
        f"sysctl -qw net.ipv4.ip_local_reserved_ports=10250; sysctl -qw net.ipv4.ip_local_reserved_ports={written}"
    )

    assert written == node.sysctl("net.ipv4.ip_local_reserved_ports")
