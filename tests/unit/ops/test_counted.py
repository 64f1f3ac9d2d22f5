"""Numbers with a noun."""

import pytest

from ops.terminal import counted


@pytest.mark.parametrize(("count", "text"), [(0, "0 devices"), (1, "1 device"), (2, "2 devices")])
def test_one_is_singular(count: int, text: str) -> None:
    assert counted(count, "device") == text
