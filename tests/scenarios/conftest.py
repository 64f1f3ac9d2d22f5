"""The whole platform, started by ``make up``, in its own folder."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.folders import server_folder
from tests.support.local_platform import LocalPlatform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.paths import StateDir


@pytest.fixture(scope="session")
def local_platform() -> Iterator[StateDir]:
    with server_folder() as folder, closing(LocalPlatform(folder / "state")) as made:
        made.up()
        yield made.state
