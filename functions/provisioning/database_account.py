"""Creates the accounts with which the functions use the database."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from scheduler import credentials
from scheduler.database.connection import connect
from scheduler.database.url import DatabaseUrl

if TYPE_CHECKING:
    from provisioning.settings import ProvisioningSettings

_PRIVILEGES: Final = {"*": "SELECT, INSERT, UPDATE, DELETE"}
_OPERATIONS_PRIVILEGES: Final = {
    "*": "SELECT",
    "mass_failure_brake": "INSERT, UPDATE, DELETE",
    "operator_actions": "INSERT, UPDATE",
    "letter_actions": "INSERT",
}
"""By table. Operators cannot delete what the tables say about them."""

_IAM_LOGIN: Final = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
"""docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html"""


def create_database_accounts(settings: ProvisioningSettings) -> None:
    """Create the accounts, or reset the login and the privileges of existing ones.

    Raises:
        pymysql.MySQLError: the administrator lacks a privilege, or the server has no IAM
            authentication.
    """
    # TLS is required where the functions verify the server; local servers have no certificate.
    tls = "REQUIRE SSL" if settings.database_ca_file else "REQUIRE NONE"
    name = DatabaseUrl.parse(settings.database_url.get_secret_value()).name
    database = name.replace("_", r"\_")  # in GRANT on a database, _ matches any character
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        for user, secret, privileges in (
            (settings.application_user, settings.application_secret_arn, _PRIVILEGES),
            (settings.operations_user, settings.operations_secret_arn, _OPERATIONS_PRIVILEGES),
        ):
            account, login, values = _login(user, secret)
            for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
                cursor.execute(f"{verb} %s@'%%' {login} {tls}", (account, *values))
            for table, granted in privileges.items():
                where = f"`{database}`.*" if table == "*" else f"`{name}`.{table}"
                cursor.execute(f"GRANT {granted} ON {where} TO %s@'%%'", (account,))


def _login(user: str, secret_arn: str | None) -> tuple[str, str, tuple[str, ...]]:
    if secret_arn is None:
        return user, _IAM_LOGIN, ()
    account, password = credentials.from_secret(secret_arn)
    return account, "IDENTIFIED BY %s", (password,)
