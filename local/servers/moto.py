"""A private AWS: DynamoDB, SES, SNS and Secrets Manager, emulated by moto's server.

moto keeps its data in memory: payment failure counts and secrets are lost when it ends, while
MariaDB and RabbitMQ keep their data.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from local.ports import HOST, accepts
from local.servers.process import ServerProcess
from local.servers.server import OnSpawn, Server

if TYPE_CHECKING:
    from collections.abc import Sequence

_SERVER: Final = Path(__file__).with_name("moto_server.py")
"""Run with -P, so that it does not import this folder's ``moto.py`` instead of moto."""


class Moto(Server):
    """A moto server."""

    name: ClassVar[str] = "AWS"

    def __init__(
        self, home: Path, log_dir: Path, port: int, on_spawn: OnSpawn = lambda _pid: None
    ) -> None:
        super().__init__(home, log_dir, (port,), on_spawn)
        self.port = port

    @property
    def url(self) -> str:
        """Return the endpoint URL of all AWS services."""
        return f"http://{HOST}:{self.port}"

    def _prepare(self) -> Sequence[ServerProcess]:
        arguments = [sys.executable, "-P", str(_SERVER), "-H", HOST, "-p", str(self.port)]
        return [ServerProcess(arguments, self.log_file, self.home)]

    def _is_ready(self) -> bool:
        return accepts(self.port)
