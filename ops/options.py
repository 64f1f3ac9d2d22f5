"""Options that several commands share, and how every command speaks and ends."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from rich.console import Console, RenderableType
from rich.progress import Progress

from local import endpoints
from local.paths import StateDir
from ops.errors import OpsError
from scheduler.messaging.amqp import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")
_PIPE_WIDTH: Final = 200

BrokerUrl = Annotated[
    str | None,
    typer.Option(
        "--broker-url",
        metavar="URL",
        envvar="BROKER_URL",
        show_envvar=True,
        help="amqp(s)://user:password@host:port/vhost. Default: the local platform's broker.",
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        envvar="DATABASE_URL",
        show_envvar=True,
        help="mysql://user:password@host:port/name. Default: the local platform's database.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def broker_url(given: str | None) -> str:
    """Return the broker to talk to: the given one, else that of the running local platform.

    Raises:
        OpsError: none was given and the local platform does not run.
    """
    return given or _local("amqp", "--broker-url")


def database_url(given: str | None) -> str:
    """Return the database to talk to, likewise.

    Raises:
        OpsError: none was given and the local platform does not run.
    """
    return given or _local("database", "--database-url")


def _local(endpoint: str, option: str) -> str:
    local = endpoints.read(StateDir.default().endpoints)
    if local is None:
        raise OpsError(f"the local platform is not running: start it (make run), or give {option}")
    return str(local[endpoint])


def endpoints_of(broker: str) -> dict[str, Any]:
    """Return where the rest of a broker's platform is; empty if it is not the local one's."""
    local = endpoints.read(StateDir.default().endpoints) or {}
    return local if local.get("amqp") == broker else {}


def say(text: RenderableType, data: dict[str, Any], *, as_json: bool) -> None:
    """Print a result, for a person or for a program; a text must be `ops.text.printable`."""
    if as_json:
        print(as_text(data))
    elif isinstance(text, str):
        print(text)
    else:
        console().print(text)


def as_text(data: object) -> str:
    """Return JSON that any terminal and pipe can carry."""
    return encodable(json.dumps(data, ensure_ascii=False))


def console(*, stderr: bool = False) -> Console:
    """Return where rich output goes; in a pipe, lines may be longer than on a terminal."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.width = _PIPE_WIDTH
    return made


def progress() -> Progress:
    """Return bars that are shown on a terminal, below the output, until their block ends."""
    below = console(stderr=True)
    return Progress(console=below, transient=True, disable=not below.is_terminal)


def tracked(items: Iterable[T], bars: Progress, doing: str, total: int) -> Iterator[T]:
    """Yield items, and show in a bar how many were dealt with.

    Not rich's own ``track``: its thread keeps the program from ending after Ctrl-C.
    """
    task = bars.add_task(doing, total=total)
    for item in items:
        yield item
        bars.advance(task)


@contextmanager
def outcome(*, as_json: bool) -> Iterator[None]:
    """Turn an `OpsError` into a message on stderr and an exit code."""
    try:
        yield
    except OpsError as error:
        text = (
            json.dumps({"error": str(error)}, ensure_ascii=False) if as_json else f"error: {error}"
        )
        print(text, file=sys.stderr)
        raise typer.Exit(error.code) from None
