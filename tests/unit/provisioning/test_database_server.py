"""Servers that cannot work are refused before anything is made on them."""

from __future__ import annotations

import pytest

from provisioning.database_server import UnsupportedServerError, require_supported

ENOUGH = 16 << 20


@pytest.mark.parametrize(
    "version",
    ["10.6.0-MariaDB", "10.11.6-MariaDB-log", "11.4.2-MariaDB", "5.5.5-10.11.6-MariaDB-log"],
)
def test_new_mariadb_is_accepted(version: str) -> None:
    require_supported(version, ENOUGH)


@pytest.mark.parametrize("version", ["10.5.25-MariaDB", "8.0.39", "5.5.5-10.4.1-MariaDB", "?"])
def test_other_servers_are_refused(version: str) -> None:
    with pytest.raises(UnsupportedServerError, match=r"MariaDB 10\.6 or newer is needed"):
        require_supported(version, ENOUGH)


def test_packets_that_do_not_hold_a_batch_are_refused() -> None:
    with pytest.raises(UnsupportedServerError, match="set it to 16777216 or more"):
        require_supported("10.11.6-MariaDB", ENOUGH - 1)
