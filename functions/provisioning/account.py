"""The account with which the functions use the database."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from scheduler import credentials
from scheduler.database.connection import connect
from scheduler.database.url import DatabaseUrl

if TYPE_CHECKING:
    from provisioning.settings import ProvisioningSettings

_RIGHTS: Final = "SELECT, INSERT, UPDATE, DELETE"

_BY_IAM: Final = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
"""docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html"""


def create_account(settings: ProvisioningSettings) -> None:
    """Create the account, or give the one that exists its login and rights again.

    Raises:
        pymysql.MySQLError: the administrator may not, or the server has no IAM authentication.
    """
    user, login, values = _login(settings)
    # A token or password in clear is sent only where the server is known.
    tls = "REQUIRE SSL" if settings.database_ca_file else "REQUIRE NONE"
    database = DatabaseUrl.parse(settings.database_url.get_secret_value()).name
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
            cursor.execute(f"{verb} %s@'%%' {login} {tls}", (user, *values))
        only = database.replace("_", r"\_")  # here _ would stand for any letter
        cursor.execute(f"GRANT {_RIGHTS} ON `{only}`.* TO %s@'%%'", (user,))


def _login(settings: ProvisioningSettings) -> tuple[str, str, tuple[str, ...]]:
    if settings.application_secret_arn is None:
        return settings.application_user, _BY_IAM, ()
    user, password = credentials.from_secret(settings.application_secret_arn)
    return user, "IDENTIFIED BY %s", (password,)
