"""A cursor for batches: many rows in one statement, and pipelined statements.

Rows written in a pipeline are sent by MariaDB's bulk protocol (`scheduler.database.bulk_protocol`),
and as text to servers that do not have it, such as MySQL, or that have no room for the prepared
statements, which are limited for all sessions together.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from pymysql import InterfaceError, MySQLError
from pymysql.constants import COMMAND, ER
from pymysql.cursors import Cursor

from scheduler.database.bulk_protocol import LAST_PREPARED, NotEncodableError, encode
from scheduler.database.times import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scheduler.database.wire import WireConnection


class PendingResult:
    """The result of a statement whose response was not read yet."""

    def __init__(
        self,
        receive: Callable[[PendingResult], None],
        read: Callable[[], Sequence[tuple[Any, ...]] | None],
    ) -> None:
        self._receive = receive
        self._read = read
        self._rows: Sequence[tuple[Any, ...]] | None = None

    def rows(self) -> Sequence[tuple[Any, ...]]:
        """Wait for the response and return the rows.

        Raises:
            pymysql.MySQLError: the server refused this statement, or one sent before it.
        """
        if self._rows is None:
            self._receive(self)
        return self._rows or ()

    def read(self) -> None:
        """Read the response; a write has no rows."""
        self._rows = self._read() or ()


class BulkCursor(Cursor):
    """A cursor that sends a batch of any usual size as one statement, and can pipeline statements.

    It formats values by their type: PyMySQL checks each value several times and escapes each
    character, which took a third of the CPU time of a batch.
    """

    max_stmt_length = 8 << 20
    """Half of max_allowed_packet (16 MiB, the default of MariaDB and RDS), in bytes."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - PyMySQL's Connection
        super().__init__(connection)
        self._pipelining = False
        self._pending: deque[PendingResult] = deque()

    def send_query(self, query: str, args: tuple[object, ...]) -> PendingResult:
        """Send a query without waiting for its response, so that more can be sent meanwhile.

        The server responds in the order of sending. It executes the following statements even if
        it refuses one, so the whole transaction must then be rolled back. A long query waits for
        the responses before it, because a server whose send buffer is full does not read.
        """
        text = self.mogrify(query, args)
        if len(text) > _MAX_AHEAD:
            self._receive()
        return self._send(text)

    def __exit__(self, *raised: object) -> None:
        """Receive all pending results; after an interrupt they cannot be told apart any more."""
        try:
            if raised[1] is None:
                self._receive()
            elif isinstance(raised[1], Exception):
                self._discard_results()
        finally:
            super().__exit__(*raised)

    @contextmanager
    def pipelined(self) -> Iterator[None]:
        """Send the block's writes without waiting for the responses, which are read at its end.

        The database works while the next statement is built, and there is one network round trip.
        After a refused statement the server executes the rest, so the whole transaction must then
        be rolled back. A read within the block waits for all statements before it.

        Raises:
            pymysql.MySQLError: the error of the first statement that the server refused.
        """
        self._receive()  # before writing: their rows could fill the buffers
        self._pipelining = True
        try:
            yield
        except Exception:
            self._discard_results()
            raise
        finally:
            self._pipelining = False
        self._receive()

    def executemany(self, query: str, args: Iterable[Any]) -> int | None:
        """Execute a statement for each row; within `pipelined`, by the bulk protocol if possible.

        Raises:
            pymysql.MySQLError: the server refused a statement; within `pipelined`, perhaps later.
        """
        rows = args if isinstance(args, list) else list(args)
        if rows and self._pipelining and self._wire.speaks_bulk:
            try:
                self._send_bulk(query, rows)
            except NotEncodableError:  # as text
                pass
            else:
                return None
        return super().executemany(query, rows)

    def _send_bulk(self, query: str, rows: list[tuple[object, ...]]) -> None:
        bodies = list(self._encoded(self._wire.prepared.get(query, LAST_PREPARED), rows))
        if query not in self._wire.prepared:
            self._wire.send_prepare(query)
            self._await(lambda: self._wire.read_prepared(query))
        for body in bodies:
            self._wire.send_bulk(body)
            self._await(self._read_result)

    def _encoded(self, statement_id: int, rows: list[tuple[object, ...]]) -> Iterator[bytes]:
        body = encode(statement_id, rows)
        if len(body) <= self.max_stmt_length or len(rows) == 1:
            yield body
            return
        half = len(rows) // 2
        yield from self._encoded(statement_id, rows[:half])
        yield from self._encoded(statement_id, rows[half:])

    @property
    def _wire(self) -> WireConnection:
        return cast("WireConnection", self.connection)

    def _query(self, query: Any) -> int:  # noqa: ANN401 - PyMySQL's signature
        if self._pipelining and _is_write(query):
            self._send(query)
            return 0
        self._receive()
        rows: int = super()._query(query)  # type: ignore[misc]  # not in PyMySQL's stubs
        return rows

    def _send(self, query: Any) -> PendingResult:  # noqa: ANN401 - str or bytes
        self.connection._execute_command(COMMAND.COM_QUERY, query)  # type: ignore[attr-defined]  # noqa: SLF001 - the writing half of query()
        return self._await(self._read_result)

    def _await(self, read: Callable[[], Sequence[tuple[Any, ...]] | None]) -> PendingResult:
        result = PendingResult(self._receive, read)
        self._pending.append(result)
        return result

    def _receive(self, until: PendingResult | None = None) -> None:
        """Receive the pending results, up to one of them or all; raise the first error."""
        first: MySQLError | None = None
        while self._pending:
            result = self._pending.popleft()
            try:
                self._prepare_to_read()
                result.read()
            except MySQLError as error:
                if error.args[0] == ER.UNKNOWN_STMT_HANDLER:
                    self._wire.prepared.clear()  # the next attempt prepares them again
                if error.args[0] == ER.MAX_PREPARED_STMT_COUNT_REACHED:
                    self._wire.speaks_bulk = False  # the next attempt sends text
                first = first or error
            if result is until:
                break
        if first:
            raise first

    def _discard_results(self) -> None:
        with suppress(MySQLError):
            self._receive()

    def _prepare_to_read(self) -> None:
        connection: Any = self.connection
        if not connection.open:
            raise InterfaceError(0, "the connection was lost before the response")
        connection._next_seq_id = 1  # noqa: SLF001 - each response counts its packets from 1

    def _read_result(self) -> Sequence[tuple[Any, ...]] | None:
        connection: Any = self.connection
        connection._read_query_result()  # noqa: SLF001 - the reading half of query()
        rows: Sequence[tuple[Any, ...]] | None = connection._result.rows  # noqa: SLF001 - as above
        return rows

    def _mogrify(self, query: str, args: Any) -> str:  # noqa: ANN401 - PyMySQL's signature
        if not self._wire.escapes_backslashes:
            raise InterfaceError(0, "NO_BACKSLASH_ESCAPES is on: values would be escaped wrongly")
        if type(args) is not tuple:
            return super()._mogrify(query, args)  # type: ignore[misc,no-any-return]  # not in PyMySQL's stubs
        return query % tuple([_LITERALS.get(type(value), self._literal)(value) for value in args])

    def _literal(self, value: Any) -> str:  # noqa: ANN401 - any value
        if type(value) is tuple:
            return f"({','.join([_LITERALS.get(type(one), self._literal)(one) for one in value])})"
        if isinstance(value, str):  # an enum
            return _text(value)
        escaped: str = self.connection.escape(value)
        return escaped


def _is_write(query: str | bytes | bytearray) -> bool:
    start = query[:40].lstrip()[:6]
    return (start if isinstance(start, str) else start.decode("ascii", "replace")) in _WRITES


def _text(value: str) -> str:
    # Only these two characters are special, because sessions use UTF-8, and no value is escaped
    # with NO_BACKSLASH_ESCAPES (https://mariadb.com/kb/en/string-literals/).
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_MAX_AHEAD: Final = 16 << 10
"""Characters of a query that is sent ahead; several such queries fit into the network buffers."""
_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE"})
_LITERALS: Final[dict[type, Callable[[Any], str]]] = {
    str: _text,
    int: str,
    datetime: quoted,
    type(None): lambda _: "NULL",
    bytes: lambda value: f"x'{value.hex()}'",
}
