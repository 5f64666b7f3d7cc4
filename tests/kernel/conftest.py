"""Kernel tests are skipped with one loud line where the machine does not allow them; CI turns the skip into a failure."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from namespace import Namespace, missing

REASON = missing()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.fspath).parents:
            item.add_marker("kernel")
            if REASON and not os.environ.get("NETCHANGE_KERNEL_TESTS_REQUIRED"):
                item.add_marker(pytest.mark.skip(reason=f"KERNEL TESTS SKIPPED: {REASON}"))


@pytest.fixture
def node() -> Iterator[Namespace]:
    """An empty node."""
    with Namespace() as namespace:
        yield namespace
