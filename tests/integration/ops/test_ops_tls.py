"""The certificate of a broker with TLS is verified."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pika
import pytest

from local.ports import HOST, accepts, free_port
from local.servers.rabbitmq import RabbitMQ, RabbitPorts
from scheduler.messaging.declaration import declare
from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.messaging.publisher import Publisher
from scheduler.settings import BrokerSettings
from tests.integration.ops.authority import Authority, new_key, pem
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import DeadLetters

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIGURATION = """
listeners.ssl.1 = {host}:{port}
ssl_options.certfile = {home}/server.pem
ssl_options.keyfile = {home}/server.key
"""


class TlsRabbitMQ(RabbitMQ):
    """A node that also listens with TLS; its authority's certificate is in its home folder."""

    def __init__(self, home: Path, log_dir: Path) -> None:
        super().__init__(home, log_dir, RabbitPorts(*(free_port() for _ in range(4))))
        self.tls_port = free_port()

    @property
    def tls_url(self) -> str:
        url = self.url.replace("amqp:", "amqps:", 1)
        return url.replace(f":{self.ports.amqp}/", f":{self.tls_port}/")

    def _write_configuration(self) -> None:
        super()._write_configuration()
        authority, key = Authority(), new_key()
        (self.home / "authority.pem").write_bytes(authority.certificate)
        (self.home / "server.pem").write_bytes(authority.certify(key, HOST))
        (self.home / "server.key").write_bytes(pem(key))
        (self.home / "enabled_plugins").write_text("[].\n")  # the management plugin is not needed
        with (self.home / "rabbitmq.conf").open("a") as file:
            file.write(_CONFIGURATION.format(host=HOST, port=self.tls_port, home=self.home))

    def _is_ready(self) -> bool:
        return super()._is_ready() and accepts(self.tls_port)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRabbitMQ]:
    folder = Path(tempfile.mkdtemp(prefix="cloudphone-tls-"))
    folder.chmod(0o711)
    made = TlsRabbitMQ(folder / "rabbitmq", tmp_path_factory.mktemp("servers"))
    made.start()
    with closing(pika.BlockingConnection(pika.URLParameters(made.url))) as connection:
        declare(connection.channel())
    yield made
    made.kill()
    shutil.rmtree(folder)


def test_dead_letters_are_replayed_over_tls(server: TlsRabbitMQ) -> None:
    broker, over_tls = Broker(server.url), DeadLetters(server.tls_url)
    trusted = {"SSL_CERT_FILE": str(server.home / "authority.pem")}
    broker.publish(letter(id="m-1"))

    listed = over_tls.run("list", **trusted)
    replayed = over_tls.run("replay", **trusted)

    assert (listed.exit_code, replayed.exit_code) == (0, 0), listed.output + replayed.output
    assert broker.ids("scheduler.device-failed") == ["m-1"]


def test_error_for_an_unknown_authority_names_the_fix(server: TlsRabbitMQ) -> None:
    result = DeadLetters(server.tls_url).run("list")

    assert result.exit_code == 1
    assert (
        f"the certificate of {HOST}:{server.tls_port}/cloudphone does not verify" in result.stderr
    )
    assert "set SSL_CERT_FILE" in result.stderr


def test_certificate_of_another_host_is_refused(server: TlsRabbitMQ) -> None:
    elsewhere = server.tls_url.replace(HOST, "localhost")

    result = DeadLetters(elsewhere).run("list", SSL_CERT_FILE=str(server.home / "authority.pem"))

    assert result.exit_code == 1
    assert "does not verify" in result.stderr


def test_functions_verify_the_certificate_of_the_broker(
    server: TlsRabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = BrokerSettings.model_validate({"BROKER_URL": server.tls_url})
    with closing(Publisher(settings)) as publisher:
        with pytest.raises(BrokerUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            publisher.publish([letter()])
        assert Broker(server.url).ids("scheduler.dead-letters") == []

        monkeypatch.setenv("SSL_CERT_FILE", str(server.home / "authority.pem"))
        publisher.publish([letter(id="m-1")])

    assert Broker(server.url).ids("scheduler.dead-letters") == ["m-1"]
