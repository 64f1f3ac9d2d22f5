"""``scheduler-ops console``: the console page for a stack or the local platform."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operations.errors import OpsError
from ops.direct import DirectOperations
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.listening import HOST, listen
from ops.options import connects
from ops.terminal import print_result

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp


@connects
def console(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="TCP port. Default: any free one.")
    ] = 0,
    allow_publish: Annotated[
        bool,
        typer.Option(
            "--allow-publish",
            help="Let the page publish events; on the local platform it always may.",
        ),
    ] = False,
    refresh: Annotated[float, typer.Option(min=1, help="Seconds between refreshes.")] = 5.0,
    operations: Operations,
    as_json: bool,
) -> None:
    """Serve the console page on 127.0.0.1 until Ctrl-C, and print its address.

    The page acts with your permissions: its address contains a secret token. Copies of discarded
    dead letters are stored in the current folder.
    """
    from ops.console.access import address, new_token  # noqa: PLC0415 - starlette: 200 ms
    from ops.console.app import ConsoleSettings, console_app  # noqa: PLC0415 - as above

    token = new_token()
    may_publish = allow_publish or operations == DirectOperations()
    settings = ConsoleSettings(token, Path.cwd(), refresh, may_publish)
    app = console_app(operations, settings)
    try:
        listener = listen(port)
    except OSError as error:
        raise OpsError(f"cannot listen on port {port}: {error.strerror}") from None
    url = address(f"http://{HOST}:{listener.getsockname()[1]}", token)
    text = f"The console of {operations.place}: {url}\nCtrl-C stops it."
    print_result(text, {"url": url, "place": operations.place}, as_json=as_json)
    sys.stdout.flush()  # a program at the other end of a pipe waits for the address
    _serve(app, listener)


def _serve(app: ASGIApp, listener: socket.socket) -> None:
    import uvicorn  # noqa: PLC0415 - 150 ms

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[listener])
