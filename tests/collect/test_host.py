"""This machine, through a runner that is given."""

import sys

import pytest

from planner.collect.host import collect_host, collector_script
from planner.collect.runner import Finished, LocalRunner
from planner.errors import NetchangeError
from planner.parse.node import parse_node


class Recorded:
    """A runner that plays what was recorded; `{token}` becomes the token that it was called with."""

    def __init__(self, finished):
        self.finished = finished
        self.calls = []

    def run(self, argv, *, stdin=b"", deadline):
        self.calls.append((tuple(argv), stdin, deadline))
        stdout = self.finished.stdout.replace(b"{token}", argv[4].encode())
        return Finished(
            self.finished.status,
            stdout,
            self.finished.stderr,
            timed_out=self.finished.timed_out,
            failure=self.finished.failure,
        )


STREAM = b"{token} H 1 root=/\n{token} B 1 kernel cat\n6.1.0\n\n{token} E 1 0\n{token} Z 1\n"


def test_the_script_goes_as_an_argument_with_a_token_of_its_own_each_time():
    """The audit log then holds what was run, and content of one run cannot forge the frame of another."""
    runner = Recorded(Finished(0, STREAM))
    first = collect_host(runner, deadline=7)
    collect_host(runner, deadline=7)
    (argv, stdin, deadline), (again, _, _) = runner.calls

    assert ("sh", "-c", collector_script(), "netchange") == argv[:4]
    assert argv[4] != again[4]
    assert (b"", 7) == (stdin, deadline)
    assert ["kernel", "stream"] == [section.name for section in first]
    assert first[-1].usable


def test_at_the_deadline_what_came_is_kept_and_the_rest_is_a_gap():
    """A node that hangs half-way is partly known, and says why."""
    sections = collect_host(Recorded(Finished(None, STREAM[:60], timed_out=True)), deadline=3)
    node = parse_node(sections, name="n1")

    assert "ended after 3 seconds, the deadline" in sections[-1].stderr
    assert "deadline" in node.gap("stream").reason
    assert node.gap("files") is not None
    assert node.gap("sysctl") is not None


def test_a_script_that_fails_is_told():
    """Its own status is no more than a reason: the frame decides what is whole."""
    sections = collect_host(Recorded(Finished(2, b"", b"sh: 3: Syntax error\n")))

    assert "status 2: sh: 3: Syntax error" in sections[-1].stderr
    assert "no header" in sections[-1].stderr


def test_no_shell_is_the_users_to_mend():
    """Nothing can be collected without `sh`."""
    with pytest.raises(NetchangeError) as caught:
        collect_host(Recorded(Finished(None, failure="sh: No such file or directory")))

    assert "collector-not-started" == caught.value.reference


def test_the_runner_keeps_output_status_and_errors():
    """Both streams apart, the status as it is."""
    done = LocalRunner().run(
        [sys.executable, "-c", "import sys; print(input()); sys.stderr.write('e'); sys.exit(4)"],
        stdin=b"in\n",
        deadline=20,
    )

    assert (4, b"in\n", b"e", False) == (done.status, done.stdout, done.stderr, done.timed_out)


def test_the_runner_ends_the_whole_family_and_keeps_what_it_printed():
    """A grandchild that holds the pipe must not hold us."""
    done = LocalRunner().run(["sh", "-c", "echo first; sleep 50 & sleep 50"], deadline=0.5)

    assert done.timed_out
    assert (None, b"first\n") == (done.status, done.stdout)


def test_a_program_that_does_not_exist_is_no_exception():
    """The reason is in what comes back."""
    done = LocalRunner().run(["/no/such/program"], deadline=1)

    assert "No such file" in done.failure
