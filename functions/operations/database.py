"""Connects to the database; its errors become messages for the operator."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import pymysql
from pydantic import ValidationError
from pymysql.constants import ER

from operations.errors import InvalidInputError, OpsError
from scheduler.database.connection import Database
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.database.cursor import BulkCursor

_SCHEMA_ERRORS: Final = frozenset({ER.BAD_FIELD_ERROR, ER.NO_SUCH_TABLE})


@contextmanager
def transaction(database_url: str) -> Iterator[BulkCursor]:
    """Run a block in one transaction.

    For other logins than with the URL's password, set the functions' variables: DATABASE_AUTH,
    DATABASE_SECRET_ARN, DATABASE_CA_FILE.

    Raises:
        InvalidInputError: the URL or one of the variables is invalid.
        OpsError: the database cannot be reached, refuses the login, or is not migrated.
    """
    try:
        given = {name: value for name, value in os.environ.items() if value}
        settings = DatabaseSettings.model_validate({**given, "DATABASE_URL": database_url})
        with closing(Database(settings)) as database, database.transaction() as cursor:
            yield cursor
    except ValidationError as error:
        raise InvalidInputError(str(error)) from None
    except ValueError as error:
        raise InvalidInputError(f"the database URL is invalid: {error}") from None
    except DatabaseUnavailableError as error:
        raise OpsError(_explained(error)) from None


def _explained(error: DatabaseUnavailableError) -> str:
    cause = error.__cause__
    if isinstance(cause, pymysql.MySQLError) and _SCHEMA_ERRORS.intersection(cause.args):
        return (
            f"the database has another version: {error}; migrate it to this version first"
            " (deploy the stack; locally: make run)"
        )
    return f"cannot reach the database: {error} (runbook: Database away)"
