"""resolv.conf with glibc's eyes."""

from planner.parse.resolv import parse_resolv


def test_only_three_name_servers_are_asked():
    """A fourth is named and never asked, and the reader is told."""
    resolver = parse_resolv("".join(f"nameserver 10.0.0.{n}\n" for n in range(1, 5)))
    assert ("10.0.0.1", "10.0.0.2", "10.0.0.3") == resolver.asked
    assert 1 == len(resolver.problems)


def test_without_a_name_server_the_local_host_is_asked():
    """glibc's default."""
    assert ("127.0.0.1",) == parse_resolv("# empty\n").asked


def test_the_last_of_search_and_domain_counts():
    """They exclude each other."""
    assert ("b.example",) == parse_resolv("search a.example c.example\ndomain b.example\n").search


def test_options_are_cut_to_what_glibc_allows():
    """ndots above 15 is 15."""
    resolver = parse_resolv("options ndots:5 timeout:99\noptions ndots:20 rotate\n")
    assert (15, 30, None) == (
        resolver.option("ndots"),
        resolver.option("timeout"),
        resolver.option("attempts"),
    )
    assert ("ndots:15", "rotate", "timeout:30") == resolver.options


def test_a_line_that_begins_with_a_blank_is_no_line():
    """The keyword must start the line; comments may begin with ; or #."""
    resolver = parse_resolv(" nameserver 10.0.0.1\n;nameserver 10.0.0.2\nnameserver\t10.0.0.3\n")
    assert ("10.0.0.3",) == resolver.nameservers
