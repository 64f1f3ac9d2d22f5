"""A cursor for batches: many rows in one statement, and statements sent ahead of their answers."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pymysql import InterfaceError, MySQLError
from pymysql.constants import COMMAND
from pymysql.cursors import Cursor

from scheduler.database.times import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class PendingResult:
    """The result of a statement that was sent without waiting for the server's answer."""

    def __init__(self, await_answer: Callable[[PendingResult], None]) -> None:
        self._await = await_answer
        self._rows: Sequence[tuple[Any, ...]] | None = None

    def rows(self) -> Sequence[tuple[Any, ...]]:
        """Return the rows, after waiting for them if need be.

        Raises:
            pymysql.MySQLError: this statement, or one sent before it, was refused.
        """
        if self._rows is None:
            self._await(self)
        return self._rows or ()

    def arrived(self, rows: Sequence[tuple[Any, ...]] | None) -> None:
        """Keep what the server said; a write has no rows."""
        self._rows = rows or ()


class BulkCursor(Cursor):
    """A cursor whose executemany sends a batch of any usual size as one statement.

    PyMySQL asks of each value several times what it is and looks at each of its characters, which
    was a third of the CPU time of a batch.
    """

    max_stmt_length = 8 << 20
    """Half of max_allowed_packet (16 MiB, the default of MariaDB and RDS), in bytes."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - PyMySQL's Connection
        super().__init__(connection)
        self._pipelining = False
        self._unanswered: deque[PendingResult] = deque()

    def send_query(self, query: str, args: tuple[object, ...]) -> PendingResult:
        """Send a query without waiting for its answer, to send more meanwhile.

        The server answers in the order of sending, and goes on after a statement that it refused:
        only for a transaction that is then rolled back as a whole. A long query waits for the
        answers before it: while they fill the network's buffers the server reads nothing.
        """
        text = self.mogrify(query, args)
        if len(text) > _SHORT:
            self._await_answers()
        return self._send(text)

    def __exit__(self, *raised: object) -> None:
        """Read the answers that nobody waited for; after an interrupt there is no telling whose."""
        try:
            if raised[1] is None:
                self._await_answers()
            elif isinstance(raised[1], Exception):
                self._forget_answers()
        finally:
            super().__exit__(*raised)

    @contextmanager
    def pipelined(self) -> Iterator[None]:
        """Send what the block writes without waiting for the answers, which are read at its end.

        The database works while the next statement is made, and the network is waited for once.
        After a statement that failed the rest is executed all the same: only for a transaction
        that is then rolled back as a whole. What the block reads, it reads after all before it.

        Raises:
            pymysql.MySQLError: a statement was refused; the first one, if several.
        """
        self._await_answers()  # rows may fill the buffers; writes have none
        self._pipelining = True
        try:
            yield
        except Exception:
            self._forget_answers()
            raise
        finally:
            self._pipelining = False
        self._await_answers()

    def _query(self, query: Any) -> int:  # noqa: ANN401 - PyMySQL's signature
        if self._pipelining and _is_write(query):
            self._send(query)
            return 0
        self._await_answers()
        rows: int = super()._query(query)  # type: ignore[misc]
        return rows

    def _send(self, query: Any) -> PendingResult:  # noqa: ANN401 - text or bytes
        self.connection._execute_command(COMMAND.COM_QUERY, query)  # type: ignore[attr-defined]  # noqa: SLF001
        answer = PendingResult(self._await_answers)
        self._unanswered.append(answer)
        return answer

    def _await_answers(self, until: PendingResult | None = None) -> None:
        """Read the answers up to one, or all; raise the first refusal if there are any."""
        refused: MySQLError | None = None
        while self._unanswered:
            answer = self._unanswered.popleft()
            try:
                answer.arrived(self._read_answer())
            except MySQLError as error:
                refused = refused or error
            if answer is until:
                break
        if refused:
            raise refused

    def _forget_answers(self) -> None:
        with suppress(MySQLError):
            self._await_answers()

    def _read_answer(self) -> Sequence[tuple[Any, ...]] | None:
        connection: Any = self.connection
        if not connection.open:
            raise InterfaceError(0, "the connection was lost before this answer")
        connection._next_seq_id = 1  # noqa: SLF001 - each answer counts its packets from here
        connection._read_query_result()  # noqa: SLF001 - the half of query() that reads
        rows: Sequence[tuple[Any, ...]] | None = connection._result.rows  # noqa: SLF001
        return rows

    def _mogrify(self, query: str, args: Any) -> str:  # noqa: ANN401 - PyMySQL's signature
        if type(args) is not tuple:
            return super()._mogrify(query, args)  # type: ignore[misc,no-any-return]
        return query % tuple([_WRITERS.get(type(value), self._other)(value) for value in args])

    def _other(self, value: Any) -> str:  # noqa: ANN401 - anything
        if type(value) is tuple:
            return f"({','.join([_WRITERS.get(type(one), self._other)(one) for one in value])})"
        if isinstance(value, str):  # an enum
            return _text(value)
        escaped: str = self.connection.escape(value)
        return escaped


def _is_write(query: str | bytes | bytearray) -> bool:
    start = query[:40].lstrip()[:6]
    return (start if isinstance(start, str) else start.decode("ascii", "replace")) in _WRITES


def _text(value: str) -> str:
    # Nothing else ends or changes a quoted text: our sessions use UTF-8 and do not set
    # NO_BACKSLASH_ESCAPES (https://mariadb.com/kb/en/string-literals/).
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_SHORT: Final = 16 << 10
"""Characters of a query; a few of them fit into the buffers between us and the server."""
_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE"})
_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    str: _text,
    int: str,
    datetime: quoted,
    type(None): lambda _: "NULL",
    bytes: lambda value: f"x'{value.hex()}'",
}
