"""Creates the account with which the functions use the database."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from scheduler import credentials
from scheduler.database.connection import connect
from scheduler.database.url import DatabaseUrl

if TYPE_CHECKING:
    from provisioning.settings import ProvisioningSettings

_PRIVILEGES: Final = "SELECT, INSERT, UPDATE, DELETE"

_IAM_LOGIN: Final = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
"""docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html"""


def create_account(settings: ProvisioningSettings) -> None:
    """Create the account, or reset the login and the privileges of the existing one.

    Raises:
        pymysql.MySQLError: the administrator lacks a privilege, or the server has no IAM
            authentication.
    """
    user, login, values = _login(settings)
    # TLS is required where the functions verify the server; local servers have no certificate.
    tls = "REQUIRE SSL" if settings.database_ca_file else "REQUIRE NONE"
    database = DatabaseUrl.parse(settings.database_url.get_secret_value()).name
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
            cursor.execute(f"{verb} %s@'%%' {login} {tls}", (user, *values))
        escaped = database.replace("_", r"\_")  # in GRANT, _ matches any character
        cursor.execute(f"GRANT {_PRIVILEGES} ON `{escaped}`.* TO %s@'%%'", (user,))


def _login(settings: ProvisioningSettings) -> tuple[str, str, tuple[str, ...]]:
    if settings.application_secret_arn is None:
        return settings.application_user, _IAM_LOGIN, ()
    user, password = credentials.from_secret(settings.application_secret_arn)
    return user, "IDENTIFIED BY %s", (password,)
