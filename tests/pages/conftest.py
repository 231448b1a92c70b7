"""What all tests of pages need."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def main_stays() -> Iterator[None]:
    """A page that runs makes itself the main module, which processes started by later tests would run again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
