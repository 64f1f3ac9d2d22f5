"""A private MariaDB."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, ClassVar, Final

import pymysql

from local import LocalError
from local.paths import write_private
from local.ports import HOST
from local.servers.process import ServerProcess, account_for, change_owner
from local.servers.programs import require_program
from local.servers.server import OnSpawn, Server, password

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DATABASE_NAME: Final = "cloudphone"
_USER: Final = "cloudphone"

DURABLE_OPTIONS: Final = ("--innodb-flush-log-at-trx-commit=1",)
"""A commit survives a power failure, as on RDS."""

FAST_OPTIONS: Final = ("--innodb-flush-log-at-trx-commit=2", "--innodb-log-file-size=32M")
"""A commit survives a crash of the server but not of the machine: enough for tests."""

# The host is an address because with skip-name-resolve "localhost" only matches the Unix socket.
# The grant covers further databases with the prefix, so that tests can create their own. Like the
# master user of RDS, the account may create other accounts.
_SETUP: Final = """\
CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '{user}'@'{host}';
ALTER USER '{user}'@'{host}' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON `{database}%`.* TO '{user}'@'{host}' WITH GRANT OPTION;
GRANT CREATE USER ON *.* TO '{user}'@'{host}';
"""


class MariaDB(Server):
    """A MariaDB server with the database ``cloudphone`` and a user with a generated password."""

    name: ClassVar[str] = "MariaDB"

    def __init__(
        self,
        home: Path,
        log_dir: Path,
        port: int,
        options: Sequence[str] = DURABLE_OPTIONS,
        on_spawn: OnSpawn = lambda _pid: None,
    ) -> None:
        super().__init__(home, log_dir, (port,), on_spawn)
        self.port = port
        self._options = options

    @property
    def url(self) -> str:
        """Return ``mysql://user:password@host:port/database``."""
        return self.url_of(DATABASE_NAME)

    def url_of(self, database: str) -> str:
        """Return the URL of a database, whose name must start with ``cloudphone``."""
        return f"mysql://{_USER}:{password(self.home)}@{HOST}:{self.port}/{database}"

    def connect(self) -> pymysql.Connection:
        """Open a connection without a current database, in autocommit mode."""
        return pymysql.connect(
            host=HOST,
            port=self.port,
            user=_USER,
            password=password(self.home),
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=5,
            ssl_disabled=True,  # it never leaves this machine, and loading CAs takes 25 ms
        )

    def _prepare(self) -> Sequence[ServerProcess]:
        account = account_for("mysql", self.home)
        self._write_setup()
        self._temporary.mkdir(parents=True, exist_ok=True)
        change_owner(self.home, account)
        if not (self._data / "mysql").exists():
            self._install(account)
        arguments = [
            require_program("mariadbd"),
            "--no-defaults",
            f"--datadir={self._data}",
            # Relative to the data folder: the path of a Unix socket is limited to 107 bytes.
            "--socket=mariadb.sock",
            f"--pid-file={self._data / 'mariadb.pid'}",
            f"--port={self.port}",
            f"--bind-address={HOST}",
            f"--init-file={self._setup}",
            # Not shared: servers that share one delete each other's temporary tables.
            f"--tmpdir={self._temporary}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--local-infile=0",
            "--character-set-server=utf8mb4",
            "--default-time-zone=+00:00",
            "--max-connections=500",
            *self._options,
            *_as_root(account),
        ]
        return [ServerProcess(arguments, self.log_file, self.home, account)]

    def _is_ready(self) -> bool:
        try:
            self.connect().close()
        except pymysql.OperationalError:
            return False
        return True

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _temporary(self) -> Path:
        return self.home / "tmp"

    @property
    def _setup(self) -> Path:
        return self.home / "setup.sql"

    def _write_setup(self) -> None:
        sql = _SETUP.format(
            database=DATABASE_NAME, user=_USER, host=HOST, password=password(self.home)
        )
        write_private(self._setup, sql)

    def _install(self, account: str | None) -> None:
        """Create the system tables in a draft folder and rename it when it is complete."""
        draft = self.home / "data.new"
        arguments = [
            require_program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={draft}",
            f"--tmpdir={self._temporary}",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=32M",
            *_as_root(account),
        ]
        shutil.rmtree(draft, ignore_errors=True)
        install = ServerProcess(arguments, self.log_file, self.home, account)
        if install.run() != 0:
            raise LocalError(f"{self.name}: mariadb-install-db failed; see {self.log_file}")
        draft.rename(self._data)


def _as_root(account: str | None) -> list[str]:
    # MariaDB only runs as root if --user says so.
    return ["--user=root"] if account is None and os.geteuid() == 0 else []
