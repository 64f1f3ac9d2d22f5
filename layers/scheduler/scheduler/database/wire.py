"""Adds to PyMySQL's connection: deadlines, closing when interrupted, bulk writes, fast rows."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pymysql
from pymysql.connections import Connection, MySQLResult
from pymysql.constants import CR, SERVER_STATUS

from scheduler.database import bulk_protocol
from scheduler.database.bulk_protocol import (
    COM_STMT_BULK_EXECUTE,
    COM_STMT_PREPARE,
    HANDSHAKE_HEADER,
    Prepared,
)
from scheduler.deadline import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    _Connection = Connection[Any]
else:
    _Connection = Connection

PING_TIMEOUT: Final = 5
"""Seconds for the answers of the handshake and of a ping, which detect a server that hangs."""

_NULL: Final = 0xFB
"""As a length: no value. Shorter lengths take one byte, longer ones the bytes that follow."""
_LENGTH_BYTES: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}


class WireConnection(_Connection):
    """A connection that closes itself if reading a result is interrupted.

    Otherwise the rest would be taken for the result of the next statement.

    ``statement_timeout`` limits the wait for each answer (s), ``deadline`` that for all of them.
    ``speaks_bulk`` tells whether the server understands `send_bulk`; ``prepared`` are the ids of
    its prepared statements.
    """

    statement_timeout: float = PING_TIMEOUT
    deadline = NEVER
    speaks_bulk = False
    prepared: dict[str, int]
    _accepting_bulk = False

    def send_prepare(self, query: str) -> None:
        """Send a statement to be prepared, without waiting for the response.

        Raises:
            NotEncodableError: the statement cannot be prepared.
        """
        self._execute_command(COM_STMT_PREPARE, bulk_protocol.prepared_text(query))

    def read_prepared(self, query: str) -> None:
        """Read the response to `send_prepare` and keep the id of the statement.

        Raises:
            pymysql.MySQLError: the server refused it.
        """
        self._limit_wait()
        read: Callable[[], Any] = self._read_packet
        with self._close_unless_read():
            response = Prepared.of(read().get_all_data())
            for definitions in (response.parameters, response.columns):
                # Each list ends with a packet of its own.
                for _ in range(definitions + 1 if definitions else 0):
                    read()
        self.prepared[query] = response.id

    def send_bulk(self, body: bytes) -> None:
        """Send what `bulk_protocol.encode` returned, without waiting for the response."""
        self._execute_command(COM_STMT_BULK_EXECUTE, body)

    @property
    def escapes_backslashes(self) -> bool:
        """Return whether the server takes a backslash in a literal for an escape."""
        status: int = self.server_status
        return not status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES

    def write_packet(self, payload: bytes) -> None:
        """Write a packet; the handshake also accepts the bulk protocol."""
        if self._accepting_bulk:
            # With TLS, the header is sent before it, and again with the rest.
            self._accepting_bulk = len(payload) == HANDSHAKE_HEADER
            payload = bulk_protocol.accept(payload)
        super().write_packet(payload)

    def _get_server_information(self) -> None:
        read: Callable[[], Any] = self._read_packet
        greeting = b""

        def read_greeting() -> Any:  # noqa: ANN401 - PyMySQL's packet
            nonlocal greeting
            packet = read()
            greeting = packet.get_all_data()
            return packet

        vars(self)["_read_packet"] = read_greeting
        try:
            super()._get_server_information()  # type: ignore[misc]  # not in PyMySQL's stubs
        finally:
            del vars(self)["_read_packet"]
        self.speaks_bulk = self._accepting_bulk = bulk_protocol.is_offered(greeting)
        self.prepared = {}  # also when PyMySQL reconnects

    def _execute_command(self, command: int, sql: Any) -> None:  # noqa: ANN401 - PyMySQL's
        self._limit_wait()
        super()._execute_command(command, sql)  # type: ignore[misc]  # not in PyMySQL's stubs

    def _read_query_result(self, unbuffered: bool = False) -> int:  # noqa: FBT001, FBT002 - PyMySQL's
        self._limit_wait()  # the answers of pipelined statements are awaited one by one
        with self._close_unless_read():
            if unbuffered:
                return super()._read_query_result(unbuffered)  # type: ignore[misc,no-any-return]  # not in PyMySQL's stubs
            self._result = None
            result = RowsResult(self)
            result.read()
            self._result = result
            if result.server_status is not None:
                self.server_status = result.server_status
            return result.affected_rows or 0

    def _read_ok_packet(self) -> Any:  # noqa: ANN401 - PyMySQL's
        with self._close_unless_read():
            return super()._read_ok_packet()  # type: ignore[misc]  # not in PyMySQL's stubs

    def _create_ssl_ctx(self, options: dict[str, Any]) -> ssl.SSLContext:
        if "ca" in options:
            return super()._create_ssl_ctx(options)  # type: ignore[misc,no-any-return]  # not in PyMySQL's stubs
        # Without a CA nothing is verified: loading those of the machine would only cost 25 ms.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def _limit_wait(self) -> None:
        left = self.deadline.seconds_left
        if left <= 0:
            self._force_close()  # type: ignore[attr-defined]  # not in PyMySQL's stubs
            raise pymysql.OperationalError(CR.CR_SERVER_LOST, "no time left in this invocation")
        # PyMySQL has one read timeout for handshake, ping and statements, and cannot change it.
        self._read_timeout = min(self.statement_timeout, left)

    @contextmanager
    def _close_unless_read(self) -> Iterator[None]:
        try:
            yield
        except pymysql.MySQLError:  # the result was read, or the connection is closed
            raise
        except BaseException:
            self._force_close()  # type: ignore[attr-defined]  # not in PyMySQL's stubs
            raise


class RowsResult(MySQLResult):
    """The result of a statement. PyMySQL's reader of rows took a sixth of a batch's CPU time.

    PyMySQL still reads the packets and decides how values are converted.

    A row is a sequence of values with their lengths:
    https://mariadb.com/docs/server/reference/clientserver-protocol/protocol-data-types
    """

    def _read_row_from_packet(self, packet: Any) -> tuple[Any, ...]:  # noqa: ANN401 - PyMySQL's packet
        data: bytes = packet.get_all_data()
        at = 0
        row: list[Any] = []
        for encoding, convert in self.converters:  # type: ignore[attr-defined]  # not in PyMySQL's stubs
            length = data[at]
            at += 1
            if length >= _NULL:
                if length == _NULL:
                    row.append(None)
                    continue
                start = at + _LENGTH_BYTES[length]
                length, at = int.from_bytes(data[at:start], "little"), start
            value: Any = data[at : at + length]
            at += length
            if encoding is not None:
                value = value.decode(encoding)
            row.append(convert(value) if convert else value)
        return tuple(row)
