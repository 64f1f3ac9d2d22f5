"""Errors of ``python -m local`` before it starts name their cause and no password."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pika
import pytest

from local import LocalError, disk
from local.ports import free_port
from local.servers import programs
from local.servers.existing import ExistingServers
from local.servers.mariadb import MariaDB
from scheduler.messaging.topology import WORK_QUEUES
from tests.support.local_platform import LocalPlatform

if TYPE_CHECKING:
    from pathlib import Path

    from local.servers.rabbitmq import RabbitMQ


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ExistingServers(database_url="mysql://u:secret@127.0.0.1:1/d"),
            "DATABASE_URL: cannot log in to 127",
        ),
        (
            ExistingServers(database_url="postgres://u:secret@h/db"),
            "DATABASE_URL must look like mysql://",
        ),
        (
            ExistingServers(broker_url="amqp://u:secret@127.0.0.1:1/v"),
            "RABBITMQ_URL: cannot log in to 127",
        ),
        (ExistingServers(broker_url="http://u:secret@h/v"), "RABBITMQ_URL must look like amqp://"),
    ],
)
def test_login_error_names_the_server_without_its_password(
    given: ExistingServers, message: str
) -> None:
    with pytest.raises(LocalError, match=message) as caught:
        given.check()

    assert "secret" not in str(caught.value)


def test_fixable_error_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    platform = LocalPlatform(tmp_path / "state", RABBITMQ_URL="amqp://u:secret@127.0.0.1:1/v")

    run = platform.command("run")

    assert run.returncode == 1
    assert run.stderr.startswith("error: RABBITMQ_URL: cannot log in to 127.0.0.1:1")
    assert run.stderr.count("\n") == 1


def test_conflicting_queues_of_an_existing_broker_are_all_named(
    mariadb: MariaDB, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    urls = {
        "DATABASE_URL": mariadb.url,
        "RABBITMQ_URL": rabbitmq.create_vhost("classic"),
    }
    names = [work.name for work in WORK_QUEUES[:2]]
    with pika.BlockingConnection(pika.URLParameters(urls["RABBITMQ_URL"])) as connection:
        for name in names:
            connection.channel().queue_declare(name, durable=True)

    with closing(LocalPlatform(tmp_path / "classic", **urls)) as platform:
        run = platform.command("run")

    assert run.returncode == 1
    assert run.stderr.startswith("error: RABBITMQ_URL: 2 of the declarations conflict")
    assert all(f"queue {name}: " in run.stderr for name in names)


def test_error_for_a_missing_program_contains_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(programs._PROGRAMS, "no-such-server", programs.Package("some", "some"))

    with pytest.raises(LocalError, match=r"no-such-server is not installed; on Debian.*apt-get"):
        programs.require_program("no-such-server")


def test_full_disk_is_named_with_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "NEEDED", 1 << 60)
    database = MariaDB(tmp_path / "mariadb", tmp_path, free_port())

    with pytest.raises(LocalError, match=r"nearly full: \d+ MiB are free, .* are needed; delete"):
        database.start()
