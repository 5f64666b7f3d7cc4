"""sysctl.d files: what each line means, which file counts, and what is worth a word. The real readers agree: tests/kernel."""

from planner.models.node import ConfigFile
from planner.models.source import Source
from planner.parse.sysctl_d import (
    Reader,
    Trouble,
    diagnose,
    effective_assignments,
    files_in_order,
    glob_matches,
    read_sysctl_file,
)

KEYS = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.eth0.rp_filter",
    "net.ipv4.conf.eth0/100.rp_filter",
    "net.core.somaxconn",
)


def tree(**files: str) -> dict[str, ConfigFile]:
    return {
        f"/etc/sysctl.d/{name.replace('_', '-')}.conf": ConfigFile(text=text) for name, text in files.items()
    }


def test_each_assignment_knows_its_line() -> None:
    """The report points at the very line."""
    file = read_sysctl_file("# one\n\nnet.core.somaxconn = 1 # two\n", path="/etc/sysctl.d/x.conf")

    assert Source(name="/etc/sysctl.d/x.conf", line=3) == file.lines[0].source
    assert "1 # two" == file.lines[0].value


def test_nothing_is_lost_silently() -> None:
    """A line that is no assignment is told."""
    file = read_sysctl_file("net.core.somaxconn 1\n", path="x")

    assert () == file.lines
    assert [Trouble.IGNORED_LINE] == [found.trouble for found in file.diagnostics]


def test_globs_stay_within_one_part_of_the_path() -> None:
    """A star does not match across parts, and matches a link with a dot in its name."""
    assert glob_matches("net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0/100.rp_filter")
    assert not glob_matches("net.*.rp_filter", "net.ipv4.conf.eth0.rp_filter")
    assert glob_matches("net.*.conf.*.forwarding", "net.ipv6.conf.all.forwarding")


def test_a_glob_spares_what_is_named_anywhere() -> None:
    """Explicit lines and exclusions win over a pattern, wherever they stand."""
    files = tree(
        a="net.ipv4.conf.*.rp_filter=2\n-net.ipv4.conf.all.rp_filter\n", b="net.ipv4.conf.eth0.rp_filter=1\n"
    )
    writes = {w.key: w.value for w in effective_assignments(files, Reader.SYSTEMD, KEYS)}

    assert {
        "net.ipv4.conf.default.rp_filter": "2",
        "net.ipv4.conf.eth0/100.rp_filter": "2",
        "net.ipv4.conf.eth0.rp_filter": "1",
    } == writes


def test_a_mask_hides_a_distribution_file() -> None:
    """A link to /dev/null of the same name."""
    files = {
        "/etc/sysctl.d/50.conf": ConfigFile(link_to="/dev/null"),
        "/usr/lib/sysctl.d/50.conf": ConfigFile(text="net.core.somaxconn=1"),
    }

    assert () == effective_assignments(files, Reader.SYSTEMD, KEYS)


def test_only_procps_reads_sysctl_conf_and_reads_it_last() -> None:
    """The same tree has two effective states."""
    files = {**tree(z="net.core.somaxconn=1"), "/etc/sysctl.conf": ConfigFile(text="net.core.somaxconn=2")}

    assert ["/etc/sysctl.d/z.conf"] == [path for path, _ in files_in_order(files, Reader.SYSTEMD)]
    assert "/etc/sysctl.conf" == files_in_order(files, Reader.PROCPS)[-1][0]
    assert Trouble.READERS_DIFFER in {found.trouble for found in diagnose(files, KEYS)}


def test_diagnostics_of_a_careless_file() -> None:
    """A slip, a later file, a pattern as exclusion, a weaker directory: each is told with its place."""
    files = {
        **tree(
            a="net.ipv4.ip_foward=1\nnet.core.somaxconn=1\n-net.ipv4.conf.eth*.rp_filter\n",
            b="net.core.somaxconn=2\n",
        ),
        "/usr/lib/sysctl.d/a.conf": ConfigFile(text="net.core.somaxconn=3\n"),
    }
    found = {(d.trouble, d.source.name, d.source.line) for d in diagnose(files, KEYS)}

    assert {
        (Trouble.UNKNOWN_KEY, "/etc/sysctl.d/a.conf", 1),
        (Trouble.OVERRIDDEN, "/etc/sysctl.d/a.conf", 2),
        (Trouble.USELESS_EXCLUSION, "/etc/sysctl.d/a.conf", 3),
        (Trouble.FILE_REPLACED, "/usr/lib/sysctl.d/a.conf", 0),
    } == found


def test_keys_outside_net_may_exist_though_the_snapshot_does_not_hold_them() -> None:
    """Only slips are told there."""
    assert () == diagnose(tree(a="kernel.dmesg_restrict=1\n"), KEYS)
