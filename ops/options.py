"""The options that several commands share, above all those that name the deployment."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import typer

from operations.errors import InvalidInputError
from ops.direct import DirectOperations
from ops.terminal import handled_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.interface import Operations

StackOption = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        envvar="SCHEDULER_STACK",
        show_envvar=True,
        help="Work on this CloudFormation stack, with your AWS credentials.",
    ),
]
BrokerUrlOption = Annotated[
    str | None,
    typer.Option(
        "--broker-url",
        metavar="URL",
        envvar="BROKER_URL",
        show_envvar=True,
        help="amqp(s)://user:password@host:port/vhost. Default: the broker of the local platform.",
    ),
]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        envvar="DATABASE_URL",
        show_envvar=True,
        help="mysql://user:password@host:port/name. Default: the database of the local platform.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_OPERATIONS: Final = "operations"
_WHERE: Final[dict[str, Any]] = {
    "stack": StackOption,
    "broker": BrokerUrlOption,
    "database": DatabaseUrlOption,
}


def connects(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the deployment to a command; it gets ``operations``.

    A stack may also be named before the command: ``scheduler-ops --stack NAME brake status``.
    The command also gets --json as its parameter ``as_json``, and errors are printed.
    """
    hints = get_type_hints(command, include_extras=True)
    given = inspect.signature(command)
    own = [
        one.replace(annotation=hints[one.name])
        for one in given.parameters.values()
        if one.name not in (_OPERATIONS, "as_json")
    ]
    added = {**_WHERE, "as_json": JsonOption}
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name == "as_json" else None,
            annotation=annotation,
        )
        for name, annotation in added.items()
    ]

    def run(context: typer.Context, **arguments: Any) -> None:  # noqa: ANN401 - the parameters of the command
        where = {name: arguments.pop(name) for name in _WHERE}
        where["stack"] = context.find_object(str) or where["stack"]
        with handled_errors(as_json=arguments["as_json"]):
            command(**arguments, operations=deployment(**where))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    first = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    parameters = [first, *own, *options]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)  # typer reads it
    return run


def deployment(
    stack: str | None = None,
    broker: str | None = None,
    database: str | None = None,
) -> Operations:
    """Return the operations of a stack, or of a broker and a database.

    Raises:
        InvalidInputError: both a stack and a URL are given.
        OpsError: the stack cannot be found.
    """
    if stack is None:
        return DirectOperations(broker, database)
    if broker or database:
        raise InvalidInputError(
            "both a stack and the URL of a server are given; remove --stack (SCHEDULER_STACK), or"
            " --broker-url and --database-url (BROKER_URL, DATABASE_URL)"
        )
    from ops.function_url import FunctionUrlOperations  # noqa: PLC0415 - botocore: 200 ms

    return FunctionUrlOperations.of_stack(stack)
