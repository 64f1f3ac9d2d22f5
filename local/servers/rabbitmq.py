"""A private RabbitMQ."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import quote

import httpx

from local.paths import write_private
from local.ports import HOST, accepts
from local.servers.process import ServerProcess, account_for, change_owner
from local.servers.programs import require_program
from local.servers.server import OnSpawn, Server, password
from scheduler.messaging.topology import VHOST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_USER: Final = "cloudphone"

# The data folder is named after the node, so the node's name must not depend on the host name.
_NODE: Final = "cloudphone@localhost"

_PLUGINS: Final = "[rabbitmq_management,rabbitmq_consistent_hash_exchange].\n"
"""Both are enabled on Amazon MQ."""

_CONFIGURATION: Final = """\
listeners.tcp.1 = {host}:{amqp}
management.tcp.ip = {host}
management.tcp.port = {management}
default_vhost = {vhost}
default_user = {user}
default_pass = {password}
log.console = true
log.file = false
"""


@dataclass(frozen=True, slots=True)
class RabbitPorts:
    """The ports of one node; epmd and distribution are Erlang's."""

    amqp: int
    management: int
    epmd: int
    distribution: int


class RabbitMQ(Server):
    """A RabbitMQ node with the management plugin, a vhost and a user with a generated password.

    It starts its own epmd (Erlang's name server) rather than share one with other Erlang programs.
    """

    name: ClassVar[str] = "RabbitMQ"

    def __init__(
        self,
        home: Path,
        log_dir: Path,
        ports: RabbitPorts,
        on_spawn: OnSpawn = lambda _pid: None,
    ) -> None:
        super().__init__(home, log_dir, astuple(ports), on_spawn)
        self.ports = ports

    @property
    def url(self) -> str:
        """Return ``amqp://user:password@host:port/vhost`` for the default vhost."""
        return self.url_of(VHOST)

    def url_of(self, vhost: str) -> str:
        """Return the AMQP URL of a vhost."""
        credentials = f"{_USER}:{password(self.home)}"
        return f"amqp://{credentials}@{HOST}:{self.ports.amqp}/{quote(vhost, safe='')}"

    @property
    def management_url(self) -> str:
        """Return the URL of the management page and HTTP API, with credentials."""
        return f"http://{_USER}:{password(self.home)}@{HOST}:{self.ports.management}"

    def create_vhost(self, name: str) -> str:
        """Create an empty vhost with all permissions for the user; return its AMQP URL."""
        path = f"/api/vhosts/{quote(name, safe='')}"
        httpx.put(self.management_url + path, timeout=30).raise_for_status()
        return self.url_of(name)

    def delete_vhost(self, name: str) -> None:
        """Delete a vhost and its contents, if it exists."""
        path = f"/api/vhosts/{quote(name, safe='')}"
        httpx.delete(self.management_url + path, timeout=30)

    def delete_user(self, name: str) -> None:
        """Delete a user, if it exists."""
        httpx.delete(f"{self.management_url}/api/users/{quote(name, safe='')}", timeout=30)

    def user_tags(self, name: str) -> list[str]:
        """Return a user's tags, e.g. ``administrator``."""
        found = httpx.get(f"{self.management_url}/api/users/{quote(name, safe='')}", timeout=30)
        tags = found.raise_for_status().json()["tags"]
        return [tag for tag in (tags.split(",") if isinstance(tags, str) else tags) if tag]

    def _prepare(self) -> Sequence[ServerProcess]:
        self._write_configuration()
        account = account_for("rabbitmq", self.home)
        change_owner(self.home, account)
        epmd = [require_program("epmd"), "-address", HOST, "-port", str(self.ports.epmd)]
        # +B i: the node ignores SIGINT; SIGTERM stops it.
        node = [require_program("rabbitmq-server"), "-noinput", "+B", "i"]
        log_dir = self.log_file.parent
        return [
            ServerProcess(epmd, log_dir / "epmd.log", self.home, account),
            ServerProcess(node, self.log_file, self.home, account, self._environment()),
        ]

    def _is_ready(self) -> bool:
        # The AMQP listener starts last, after all plugins.
        return accepts(self.ports.amqp)

    def _write_configuration(self) -> None:
        (self.home / "enabled_plugins").write_text(_PLUGINS, encoding="utf-8")
        configuration = _CONFIGURATION.format(
            host=HOST,
            amqp=self.ports.amqp,
            management=self.ports.management,
            vhost=VHOST,
            user=_USER,
            password=password(self.home),
        )
        write_private(self.home / "rabbitmq.conf", configuration)

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),  # the Erlang cookie is created here
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "no-environment-file"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.home / "no-advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.home / "generated"),
            "RABBITMQ_MNESIA_BASE": str(self.home / "data"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            # The start script executes the node instead of waiting for it as its parent.
            "RABBITMQ_ALLOW_INPUT": "1",
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_AFLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
