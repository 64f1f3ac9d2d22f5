"""Checks the database server: its version, and the size of the packets that it accepts."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Final

from scheduler.database.connection import connect

if TYPE_CHECKING:
    from scheduler.settings import DatabaseSettings

_OLDEST: Final = (10, 6)
_MAX_ALLOWED_PACKET: Final = 16 << 20
"""Bytes. A batch's rows are sent in packets of up to half of it; MariaDB closes the connection at a
larger packet, which looks like an outage that never ends."""


class UnsupportedServerError(Exception):
    """The server lacks something without which the functions do not work."""


def check_server(settings: DatabaseSettings) -> None:
    """Check the server before anything is made on it.

    Raises:
        UnsupportedServerError: it lacks something; the text names the fix.
        pymysql.MySQLError: it cannot be reached.
    """
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION(), @@max_allowed_packet")
        ((version, packet),) = cursor.fetchall()
    require_supported(version, packet)


def require_supported(version: str, max_allowed_packet: int) -> None:
    """Check what a server says about itself.

    Args:
        version: as ``10.11.6-MariaDB``; MySQL's has no name.
        max_allowed_packet: in bytes.

    Raises:
        UnsupportedServerError: it is not enough.
    """
    # Some servers put 5.5.5- before their version, for clients that expect MySQL.
    number = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)", version)
    if (
        "mariadb" not in version.lower()
        or not number
        or ((int(number[1]), int(number[2])) < _OLDEST)
    ):
        oldest = ".".join(map(str, _OLDEST))
        raise UnsupportedServerError(
            f"the database is {version}: MariaDB {oldest} or newer is needed"
        )
    if max_allowed_packet < _MAX_ALLOWED_PACKET:
        raise UnsupportedServerError(
            f"max_allowed_packet of the database is {max_allowed_packet}: set it to"
            f" {_MAX_ALLOWED_PACKET} or more in its parameter group"
        )
