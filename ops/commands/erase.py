"""``scheduler-ops erase``: checks that no data of a deleted user is left."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Group as RichGroup
from rich.table import Table
from rich.text import Text

from operations.broker import connected
from operations.context import checked
from operations.database import transaction
from operations.dead_letters.queue import dead_letter_queue
from operations.errors import ExitCode, OpsError
from operations.lookups import UserArguments
from ops import local_platform, options, traces
from ops.direct import DirectOperations
from ops.terminal import handled_errors, print_result, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.traces import ErasureState, Trace

_TABLE_HELP: Final = "DynamoDB table of {}. Default: that of the local platform."

app = typer.Typer(
    no_args_is_help=True,
    help="Check that no data of a deleted user is left. To erase a user: publish user.deleted.",
)


@app.callback()
def _group() -> None:
    pass


@app.command()
def check(
    user: Annotated[str, typer.Argument(metavar="USER", help="User id, e.g. user-123.")],
    *,
    database: options.DatabaseUrlOption = None,
    broker: options.BrokerUrlOption = None,
    payments_table: Annotated[
        str | None,
        typer.Option(
            envvar="PAYMENT_FAILURES_TABLE",
            show_envvar=True,
            help=_TABLE_HELP.format("failed payments"),
        ),
    ] = None,
    connections_table: Annotated[
        str | None,
        typer.Option(
            envvar="REALTIME_CONNECTIONS_TABLE",
            show_envvar=True,
            help=_TABLE_HELP.format("WebSocket connections"),
        ),
    ] = None,
    tickets_table: Annotated[
        str | None,
        typer.Option(
            envvar="REALTIME_TICKETS_TABLE",
            show_envvar=True,
            help=_TABLE_HELP.format("WebSocket tickets"),
        ),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Search for what is stored about a user: MariaDB, DynamoDB, dead letters.

    Outgoing events and the ids of users who caused rows of other users, messages in work and retry
    queues, logs, snapshots and backups of discarded letters are not searched; docs/privacy.md says
    how long they are kept.

    Exit code: 0 everything was searched and only ids and times are left, 1 otherwise.
    """
    with handled_errors(as_json=as_json):
        checked(UserArguments, {"userId": user}, "erase check")
        direct = DirectOperations(broker, database)
        missed: dict[str, str] = {}
        with transaction(direct.database_url()) as cursor:
            state = traces.read_state(cursor, user)
            found = list(traces.in_database(cursor, user))
        with _noting(missed, "DynamoDB"):
            tables = (payments_table, connections_table, tickets_table)
            found += _in_dynamodb(user, database, tables)
        letters: list[str] = []
        with _noting(missed, "dead letters"):
            letters = _dead_letters(user, direct)
            found.append(traces.Trace("dead letters", len(letters), must_be_gone=True))
        left = [one for one in found if one.must_be_gone and one.count]
        done = state.status == "deleted" and bool(state.finished_at) and not left and not missed
        print_result(
            RichGroup(_table(found), "", Text(printable(_summary(user, state, letters, missed)))),
            {
                "user": user,
                "status": state.status,
                "requestedAt": state.requested_at and state.requested_at.isoformat(),
                "finishedAt": state.finished_at and state.finished_at.isoformat(),
                "left": {one.place: one.count for one in left},
                "kept": {one.place: one.count for one in found if not one.must_be_gone},
                "deadLetters": letters,
                "notSearched": missed,
                "erased": done,
            },
            as_json=as_json,
        )
        if not done:
            raise typer.Exit(ExitCode.FAILED)


@contextmanager
def _noting(missed: dict[str, str], place: str) -> Iterator[None]:
    """Note a place that cannot be searched, and why, instead of failing."""
    from ops.aws_session import AWS_ERRORS  # noqa: PLC0415 - 200 ms that others need not spend

    try:
        yield
    except (OpsError, *AWS_ERRORS) as error:
        missed[place] = str(error)


def _in_dynamodb(
    user: str, database: str | None, names: tuple[str | None, str | None, str | None]
) -> list[Trace]:
    from ops.aws_session import aws_session  # noqa: PLC0415 - as above

    local = local_platform.endpoints() or {}
    client: Any
    if local and database in (None, local.get("database")):
        from local.aws import aws_client  # noqa: PLC0415 - only a checkout has it
        from local.template import function_variable  # noqa: PLC0415 - as above

        client = aws_client("dynamodb", local["aws"])
        payments, connections, tickets = names
        names = (
            payments or function_variable("PAYMENT_FAILURES_TABLE"),
            connections or function_variable("REALTIME_CONNECTIONS_TABLE"),
            tickets or function_variable("REALTIME_TICKETS_TABLE"),
        )
    else:
        client = aws_session().create_client("dynamodb")
    given = [one for one in names if one]
    if len(given) < len(names):
        raise OpsError("add --payments-table, --connections-table and --tickets-table")
    return list(traces.in_dynamodb(client, user, traces.Tables(*given)))


def _dead_letters(user: str, direct: DirectOperations) -> list[str]:
    with connected(direct.broker_url()) as connection, dead_letter_queue(connection) as queue:
        return traces.letters_of((one.letter for one in queue.letters()), user)


def _table(found: list[Trace]) -> Table:
    table = Table("Place", box=None, pad_edge=False)
    table.add_column("Must be gone", justify="right")
    table.add_column("Ids and times", justify="right")
    counts: dict[str, list[Text]] = {}
    for one in found:
        row = counts.setdefault(one.place, [Text(), Text()])
        row[not one.must_be_gone] = Text(
            str(one.count), "bold red" if one.must_be_gone and one.count else ""
        )
    for place, row in counts.items():
        table.add_row(place, *row)
    return table


def _summary(user: str, state: ErasureState, letters: list[str], missed: dict[str, str]) -> str:
    lines = [f"{user} is {state.status}{_progress(state)}.{_next_step(user, state.status)}"]
    if letters:
        lines.append(f"Dead letters: {', '.join(letters)}; replay or discard them.")
    lines += [f"Not searched: {place}: {why}." for place, why in missed.items()]
    return "\n".join(lines)


def _next_step(user: str, status: str) -> str:
    if status == "unknown":
        return " Is the id right?"
    return "" if status == "deleted" else f" To erase: publish user.deleted userId={user}"


def _progress(state: ErasureState) -> str:
    if state.finished_at:
        return f", the erasure was finished at {state.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    if state.requested_at:
        return ", the erasure is not finished; it usually takes less than three minutes"
    return ""
