"""``python -m local.sam events/device-failed.json``: invokes one function with one event."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from local import LocalError, endpoints
from local.lambda_runtime.environment import FunctionError
from local.paths import StateDir
from local.sam.invoke import SamLocal, image, server_ports
from local.sam.network import ContainerNetwork


def main(
    event: Annotated[str, typer.Argument(help="File with the event, or - for standard input.")],
    function: Annotated[
        str | None,
        typer.Option(help="Logical id. Default: the function that receives such events."),
    ] = None,
) -> None:
    """Invoke a built function with ``sam local invoke`` against the running local platform.

    Set LAMBDA_IMAGE to use another image than the public one of AWS.
    """
    try:
        raw = _read(event)
        result = _invoke(function or receiving_function(raw), raw)
    except (LocalError, FunctionError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(json.dumps(result, ensure_ascii=False, indent=2))


def _read(event: str) -> bytes:
    if event == "-":  # with allow_dash, typer would still look for a file of that name
        return sys.stdin.buffer.read()
    try:
        return Path(event).read_bytes()
    except OSError as error:
        raise LocalError(f"{event} cannot be read: {error.strerror}") from None


def receiving_function(raw: bytes) -> str:
    """Return the logical id of the function that receives an event.

    Raises:
        LocalError: the event is not a JSON object, or does not identify its function.
    """
    try:
        event: dict[str, Any] = dict(json.loads(raw))
    except (ValueError, TypeError):
        raise LocalError("the event is not a JSON object") from None
    for queue in event.get("rmqMessagesByQueue", ()):
        family = queue.removeprefix("scheduler.").partition("-")[0]
        return f"{family.capitalize()}EventsFunction"
    if "http" in event.get("requestContext", {}):
        return "AllocationApiFunction"
    if "requestContext" in event:
        return "RealtimeFunction"
    raise LocalError("the event does not identify its function; add --function")


def _invoke(function: str, event: bytes) -> Any:  # noqa: ANN401 - any JSON
    running = endpoints.read(StateDir.default().endpoints)
    if running is None:
        raise LocalError("the local platform is not running; start it: make up")
    with (
        tempfile.TemporaryDirectory() as folder,
        ContainerNetwork(image(), server_ports(running)) as network,
    ):
        sam = SamLocal(running, network.name, Path(folder), print_output=_print)
        _print(f"$ {' '.join(sam.command(function))}\n")
        return sam.invoke(function, event)


def _print(text: str) -> None:
    print(text, file=sys.stderr, end="")


if __name__ == "__main__":
    typer.run(main)
