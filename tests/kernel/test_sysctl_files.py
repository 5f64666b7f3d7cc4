"""The two readers of sysctl.d against the model: the same tree of files gives the same values."""

import json
import random
from collections.abc import Mapping

import pytest
from namespace import Namespace
from sysctl_lab import state, values, write_many

from planner.models.node import ConfigFile
from planner.parse.sysctl_d import Reader, Trouble, diagnose, effective_assignments
from planner.proposal.sysctl import apply_sysctl_file

SYSTEMD = "/lib/systemd/systemd-sysctl"
SETUP = """
ip link add v0 type veth peer name v1; ip link add link v0 name v0.100 type macvlan
ip addr add 10.1.0.1/24 dev v0
mkdir -p /usr/local/lib/sysctl.d /run/sysctl.d
for d in /etc/sysctl.d /usr/lib/sysctl.d /usr/local/lib/sysctl.d; do mount -t tmpfs tmpfs $d; done
touch /run/sysctl.conf; mount --bind /run/sysctl.conf /etc/sysctl.conf
"""
PUT = """
import json, os, sys
for path, text, link in json.load(sys.stdin):
    if link: os.symlink(link, path)
    else: open(path, "w", newline="").write(text)
"""


@pytest.fixture
def tree(node: Namespace) -> Namespace:
    """A node whose sysctl directories are empty and private."""
    if node.run(["test", "-x", SYSTEMD], check=False).returncode:
        pytest.skip(f"{SYSTEMD} is not installed")
    node.sh(SETUP)
    return node


def put(node: Namespace, files: Mapping[str, ConfigFile]) -> None:
    """Install the files."""
    listed = [(path, file.text, file.link_to) for path, file in files.items()]
    node.run(["python3", "-c", PUT], stdin=json.dumps(listed))


def run(node: Namespace, reader: Reader) -> None:
    """Let the real program read them."""
    argv = [SYSTEMD] if reader is Reader.SYSTEMD else ["sysctl", "--system"]
    node.run(argv, check=False)


def predicted(node: Namespace, files: Mapping[str, ConfigFile], reader: Reader) -> dict[str, str]:
    before = state(node)
    assignments = effective_assignments(files, reader, before.sysctls)
    return apply_sysctl_file(before, assignments, skip_equal=reader is Reader.SYSTEMD).state.sysctls


def text(content: str) -> ConfigFile:
    return ConfigFile(text=content)


KEY = "net.ipv4.tcp_retries2"
V0 = "net.ipv4.conf.v0.rp_filter"
V1 = "net.ipv4.conf.v1.rp_filter"
CASES: dict[str, dict[str, ConfigFile]] = {
    "a later name wins": {
        "/etc/sysctl.d/10-a.conf": text(f"{KEY}=10"),
        "/usr/lib/sysctl.d/9-b.conf": text(f"{KEY}=9"),
    },
    "capitals first": {"/etc/sysctl.d/Z.conf": text(f"{KEY}=10"), "/etc/sysctl.d/a.conf": text(f"{KEY}=9")},
    "the stronger directory replaces": {
        "/etc/sysctl.d/50.conf": text("# nothing"),
        "/usr/lib/sysctl.d/50.conf": text(f"{KEY}=9"),
    },
    "run is stronger than usr": {
        "/run/sysctl.d/50.conf": text(f"{KEY}=8"),
        "/usr/local/lib/sysctl.d/50.conf": text(f"{KEY}=7"),
        "/usr/lib/sysctl.d/50.conf": text(f"{KEY}=9"),
    },
    "masked by a link": {
        "/etc/sysctl.d/50.conf": ConfigFile(link_to="/dev/null"),
        "/usr/lib/sysctl.d/50.conf": text(f"{KEY}=9"),
    },
    "sysctl.conf": {"/etc/sysctl.conf": text(f"{KEY}=5"), "/etc/sysctl.d/99-z.conf": text(f"{KEY}=9")},
    "sysctl.conf through a link": {
        "/etc/sysctl.conf": text(f"{KEY}=5"),
        "/etc/sysctl.d/99-sysctl.conf": ConfigFile(link_to="../sysctl.conf"),
        "/etc/sysctl.d/99-zzz.conf": text(f"{KEY}=9"),
    },
    "other suffix": {"/etc/sysctl.d/50.txt": text(f"{KEY}=9")},
    "hidden": {"/etc/sysctl.d/.50.conf": text(f"{KEY}=9")},
    "comments": {"/etc/sysctl.d/50.conf": text(f"# {KEY}=1\n ; {KEY}=2\n{KEY} = 11 # note\n")},
    "a comment without a blank": {"/etc/sysctl.d/50.conf": text(f"{KEY}=11#note\n")},
    "words are no numbers": {"/etc/sysctl.d/50.conf": text(f'{KEY}=true\n{KEY}="9"\n')},
    "bases": {"/etc/sysctl.d/50.conf": text(f"{KEY}=0x10\nnet.ipv4.tcp_retries1=010\n")},
    "short vector": {
        "/etc/sysctl.d/50.conf": text("net.ipv4.tcp_rmem = 5000\nnet.ipv4.tcp_wmem=1\t2  3 4\n")
    },
    "no assignment": {"/etc/sysctl.d/50.conf": text(f"{KEY}\n{KEY}=\n{KEY} 9\nnet.ipv4.tcp_retries1 = 4\n")},
    "no continuation": {"/etc/sysctl.d/50.conf": text(f"{KEY} = \\\n9\n")},
    "carriage returns": {"/etc/sysctl.d/50.conf": text(f"{KEY} = 9\r\nnet.ipv4.tcp_retries1=4\r\n")},
    "byte-order mark": {"/etc/sysctl.d/50.conf": text(f"\ufeff{KEY} = 9\nnet.ipv4.tcp_retries1=4\n")},
    "no-break space": {"/etc/sysctl.d/50.conf": text(f"{KEY}\u00a0= 9\n\u00a0{KEY}=9\n")},
    "tolerated": {"/etc/sysctl.d/50.conf": text(f"-{KEY}=9\n-net.ipv4.no_such=1\nnet.ipv4.tcp_retries1=4")},
    "tolerated with a blank": {"/etc/sysctl.d/50.conf": text(f"- {KEY} = 9\n")},
    "slashes": {
        "/etc/sysctl.d/50.conf": text("net/ipv4/conf/v0.100/rp_filter=2\n/net/ipv4/tcp_retries2=9\n")
    },
    "a dot in a name": {
        "/etc/sysctl.d/50.conf": text("net.ipv4.conf.v0/100.rp_filter=2\nnet.ipv4.conf.v0.100.arp_ignore=1")
    },
    "mixed separators": {"/etc/sysctl.d/50.conf": text("net.ipv4/tcp_retries2=9\nnet/ipv4.tcp_retries1=4\n")},
    "proc prefix": {
        "/etc/sysctl.d/50.conf": text("/proc/sys/net/ipv4/tcp_retries2=9\nproc.sys.net.ipv4.tcp_retries1=4")
    },
    "glob": {"/etc/sysctl.d/50.conf": text("net.ipv4.conf.*.rp_filter=2\n")},
    "glob and an explicit line before": {
        "/etc/sysctl.d/10.conf": text(f"{V0}=1"),
        "/etc/sysctl.d/50.conf": text("net.ipv4.conf.*.rp_filter=2\n"),
    },
    "glob and an explicit line after": {
        "/etc/sysctl.d/50.conf": text(f"net.ipv4.conf.*.rp_filter=2\n{V0}=1")
    },
    "glob and an exclusion": {
        "/etc/sysctl.d/50.conf": text(f"net.ipv4.conf.*.rp_filter=2\n-net.ipv4.conf.all.rp_filter\n-{V0}")
    },
    "glob and an excluded glob": {
        "/etc/sysctl.d/50.conf": text("net.ipv4.conf.*.rp_filter=2\n-net.ipv4.conf.v*.rp_filter")
    },
    "two globs": {"/etc/sysctl.d/50.conf": text("net.ipv4.conf.*.rp_filter=2\nnet.ipv4.conf.v?.rp_filter=1")},
    "glob with slashes": {"/etc/sysctl.d/50.conf": text("net/ipv4/conf/v0*/rp_filter=2")},
    "glob over two parts": {"/etc/sysctl.d/50.conf": text("net.*.conf.*.forwarding=1")},
    "exclusion after an assignment": {"/etc/sysctl.d/50.conf": text(f"{KEY}=9\n-{KEY}\n")},
    "position of duplicates": {
        "/etc/sysctl.d/10.conf": text("net.ipv4.conf.all.accept_redirects=1"),
        "/etc/sysctl.d/20.conf": text("net.ipv4.ip_forward=1"),
        "/etc/sysctl.d/30.conf": text("net.ipv4.conf.all.accept_redirects=1"),
    },
    "a directory": {"/etc/sysctl.d/50.conf": text(f"net.ipv4.conf=1\n{KEY}=9")},
    "a link's forwarding before ip_forward": {
        "/etc/sysctl.d/50.conf": text("net.ipv4.conf.v1.forwarding=0\nnet.ipv4.ip_forward=1\n")
    },
    "a link's forwarding after ip_forward": {
        "/etc/sysctl.d/50.conf": text("net.ipv4.ip_forward=1\nnet.ipv4.conf.v1.forwarding=0\n")
    },
}


@pytest.mark.parametrize("reader", list(Reader))
@pytest.mark.parametrize("case", CASES)
def test_a_tree_of_files(tree: Namespace, case: str, reader: Reader) -> None:
    """Each row of syntax and precedence: the values afterwards are those of the real program."""
    files = CASES[case]
    put(tree, files)
    expected = predicted(tree, files, reader)
    run(tree, reader)
    after = values(tree)

    assert {} == {k: (v, expected.get(k)) for k, v in after.items() if v != expected.get(k)}


def test_a_line_over_one_mebibyte_ends_the_reading_of_systemd(tree: Namespace) -> None:
    """systemd-sysctl loses what follows; procps does not; the model says which."""
    files = {"/etc/sysctl.d/50.conf": text(f"{KEY}=9\n# {'x' * (1024 * 1024)}\nnet.ipv4.tcp_retries1=4\n")}
    put(tree, files)
    for reader in Reader:
        expected = predicted(tree, files, reader)
        run(tree, reader)
        after = values(tree)

        assert expected["net.ipv4.tcp_retries1"] == after["net.ipv4.tcp_retries1"], reader
    assert [Trouble.READERS_DIFFER, Trouble.REST_OF_FILE_LOST] == sorted(
        d.trouble for d in diagnose(files, state(tree).sysctls)
    )


DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
LINES = (
    "net.ipv4.ip_forward={0}",
    "net/ipv4/conf/all/forwarding = {0}",
    "net.ipv4.conf.*.forwarding={1}",
    "net.ipv4.conf.v1.forwarding={0}",
    "-net.ipv4.conf.v1.forwarding",
    "net.ipv4.conf.all.accept_redirects={1}",
    "net.ipv4.conf.*.rp_filter = {0}",
    "net.ipv4.conf.v0/100.rp_filter={1}",
    "-net.ipv4.conf.all.rp_filter",
    "net.ipv6.conf.all.forwarding={0}",
    "net.ipv6.conf.v?.forwarding={1}",
    "net.ipv4.tcp_rmem={0}000 {1}",
    "net.ipv4.tcp_retries2 = 0x1{0} # {1}",
    "-net.ipv4.tcp_retries2",
    "net.ipv4.tcp_keepalive_time={1}",
    "; {0}",
    "nonsense {0}",
)


@pytest.mark.parametrize("reader", list(Reader))
@pytest.mark.parametrize("seed", range(8))
def test_random_trees(tree: Namespace, seed: int, reader: Reader) -> None:
    """Random files in random directories, from a random state."""
    chance = random.Random(seed)
    files: dict[str, ConfigFile] = {}
    for _ in range(chance.randint(2, 7)):
        name = f"{chance.choice(DIRECTORIES)}/{chance.choice(['10-a', '5-b', 'B', 'z', '99-sysctl'])}.conf"
        lines = [chance.choice(LINES).format(chance.choice("012"), chance.choice("01")) for _ in range(5)]
        files[name] = text("\n".join(lines) + "\n")
    put(tree, files)
    write_many(
        tree, [(k, chance.choice("01")) for k in ("net.ipv4.ip_forward", V1, "net.ipv4.conf.v0.forwarding")]
    )
    expected = predicted(tree, files, reader)
    run(tree, reader)
    after = values(tree)

    # v1 and v0.100 have no address: a write to conf.default may reach them, which is tested elsewhere.
    assert {} == {
        k: (v, expected.get(k))
        for k, v in after.items()
        if v != expected.get(k) and not (k.endswith(".rp_filter") and ".v" in k)
    }
