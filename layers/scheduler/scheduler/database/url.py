"""Database URLs: ``mysql://user:password@host:port/name``, percent-encoded."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class DatabaseUrl(NamedTuple):
    """The parts of a database URL."""

    host: str
    port: int
    name: str
    user: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> DatabaseUrl:
        """Split a URL.

        Raises:
            ValueError: another scheme, no host or no database name. The message does not contain
                the URL, which may hold a password.
        """
        parts = urlsplit(url)
        name = parts.path.lstrip("/")
        try:
            port = parts.port or 3306
        except ValueError:  # its text could be the start of a password with a slash
            port = 0
        if parts.scheme != "mysql" or not parts.hostname or not name or not port:
            raise ValueError(
                "DATABASE_URL must look like mysql://user:password@host:port/name, percent-encoded"
            )
        return cls(
            parts.hostname,
            port,
            unquote(name),
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )
