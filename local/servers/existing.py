"""Existing servers that the platform uses instead of starting private ones."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import pika
import pymysql
from pika.exceptions import AMQPError

from local import LocalError
from scheduler.database.connection import connect
from scheduler.settings import DatabaseSettings


@dataclass(frozen=True, slots=True)
class ExistingServers:
    """The servers in ``DATABASE_URL`` and ``RABBITMQ_URL``; for None a private one is started."""

    database_url: str | None = None
    broker_url: str | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """Read the two variables; an empty one counts as not set."""
        return cls(os.environ.get("DATABASE_URL") or None, os.environ.get("RABBITMQ_URL") or None)

    def required_programs(self) -> list[str]:
        """Return the programs that the remaining, private servers need."""
        database = [] if self.database_url else ["mariadbd", "mariadb-install-db"]
        broker = [] if self.broker_url else ["rabbitmq-server", "epmd"]
        return [*database, *broker]

    def check(self) -> None:
        """Log in to each server.

        Raises:
            LocalError: a login failed; the message names the variable and the reason.
        """
        if self.database_url:
            _check_database(self.database_url)
        if self.broker_url:
            _check_broker(self.broker_url)


def _check_database(url: str) -> None:
    try:
        connect(DatabaseSettings.model_validate({"DATABASE_URL": url})).close()
    except ValueError as error:
        raise LocalError(str(error)) from None
    except pymysql.MySQLError as error:
        raise LocalError(
            f"DATABASE_URL: cannot log in to {_address(url)}: {error.args[-1]}"
        ) from None


def _check_broker(url: str) -> None:
    if urlsplit(url).scheme not in {"amqp", "amqps"}:
        raise LocalError("RABBITMQ_URL must look like amqp://user:password@host:port/vhost")
    try:
        pika.BlockingConnection(pika.URLParameters(url)).close()
    except (AMQPError, OSError) as error:
        reason = str(error) or repr(error)
        raise LocalError(f"RABBITMQ_URL: cannot log in to {_address(url)}: {reason}") from None


def _address(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
