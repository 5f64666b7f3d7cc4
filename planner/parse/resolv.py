"""resolv.conf as glibc reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

from planner.models.node import ConfigFile

PATH = "/etc/resolv.conf"
MOST_NAMESERVERS = 3
"""MAXNS (resolv.conf(5)); the kubelet cuts pods' files to three as well."""
OLD_MOST_SEARCH = 6
"""Search domains before glibc 2.26; since then there is no limit (resolv.conf(5))."""
_CAPS = {"ndots": 15, "timeout": 30, "attempts": 5}
"""Values above are silently cut (resolv.conf(5))."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """What the resolver acts on."""

    nameservers: tuple[str, ...] = ()
    """All that are named; only the first three are asked."""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Sorted, the last of each name, cut to what glibc allows."""
    sortlist: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        """The name servers that are really asked, in order; without any it is the local host."""
        return self.nameservers[:MOST_NAMESERVERS] or ("127.0.0.1",)

    def option(self, name: str) -> int | None:
        """The number of an option such as ndots; None when it is not given."""
        for option in self.options:
            word, colon, number = option.partition(":")
            if word == name and colon and number.isdecimal():
                return int(number)
        return None


def parse_resolv(text: str, *, name: str = PATH) -> Resolver:
    """A keyword stands at the very beginning of its line; the last `search` or `domain` counts."""
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    options: dict[str, str] = {}
    sortlist: tuple[str, ...] = ()
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"`{name}:{number}`"
        words = line.split()
        if not words or line[0] in "#;":
            continue
        if line[0] in " \t":
            problems.append(f"{where} begins with a blank and is ignored")
            continue
        match words:
            case ["nameserver", address, *_]:
                nameservers.append(address)
                if len(nameservers) == MOST_NAMESERVERS + 1:
                    problems.append(f"{where}: only the first {MOST_NAMESERVERS} name servers are asked")
            case ["domain", domain, *_]:
                search = (domain,)
            case ["search", *domains]:
                search = tuple(domains)
                if len(domains) > OLD_MOST_SEARCH:
                    problems.append(
                        f"{where}: glibc before 2.26 uses the first {OLD_MOST_SEARCH} search domains only"
                    )
            case ["options", *given]:
                for option in given:
                    word, _, value = option.partition(":")
                    options[word] = _capped(word, value)
            case ["sortlist", *pairs]:
                sortlist = tuple(pairs)
            case _:
                problems.append(f"{where} is not understood and is ignored")
    written = tuple(f"{word}:{value}" if value else word for word, value in sorted(options.items()))
    return Resolver(tuple(nameservers), search, written, sortlist, tuple(problems))


def load_resolv(files: Mapping[str, ConfigFile], *, path: str = PATH) -> Resolver | None:
    """The node's own, or the one that the kubelet is told to use; None when the file is not there."""
    file = files.get(path)
    return None if file is None else parse_resolv(file.text, name=path)


def _capped(word: str, value: str) -> str:
    cap = _CAPS.get(word)
    return str(min(int(value), cap)) if cap is not None and value.isdecimal() and len(value) < 10 else value
