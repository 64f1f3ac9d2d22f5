"""A private AWS: DynamoDB, SES, SNS and Secrets Manager by moto's server.

moto keeps everything in memory: what it knew (payment failure counts, secrets) is gone when
it ends, while MariaDB and RabbitMQ keep their data.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar

from local.ports import HOST, accepts
from local.servers.process import Process
from local.servers.server import OnSpawn, Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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
        """Return the endpoint for all AWS services."""
        return f"http://{HOST}:{self.port}"

    def _prepare(self) -> Sequence[Process]:
        arguments = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]
        return [Process(arguments, self.log_file, self.home)]

    def _serves(self) -> bool:
        return accepts(self.port)
