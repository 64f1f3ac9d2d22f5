"""The wire format of MariaDB's bulk protocol, which PyMySQL does not have. Performs no I/O.

Many rows are sent in binary with one prepared statement: nothing is escaped or parsed.

* capability: https://mariadb.com/docs/server/reference/clientserver-protocol/1-connecting/connection
* prepare: …/clientserver-protocol/3-binary-protocol-prepared-statements/com_stmt_prepare
* execute: …/clientserver-protocol/3-binary-protocol-prepared-statements/com_stmt_bulk_execute
"""

from __future__ import annotations

import struct
from datetime import datetime
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.database.times import in_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COM_STMT_PREPARE: Final = 0x16
COM_STMT_BULK_EXECUTE: Final = 0xFA

LAST_PREPARED: Final = 0xFFFFFFFF
"""The id of the statement that was prepared last, whose own id need not be known yet."""

HANDSHAKE_HEADER: Final = 32
"""Bytes that a handshake response begins with; a request for TLS has only these."""

_CLIENT_MYSQL: Final = 1
"""Set by MySQL and its clients. MariaDB leaves it out, and sends extended capabilities."""
_STMT_BULK_OPERATIONS: Final = 1 << 2
"""MARIADB_CLIENT_STMT_BULK_OPERATIONS, bit 34, in the four bytes of the extended capabilities."""
_CAPABILITIES_AT: Final = 13
"""Offset of the capabilities in the greeting, from the end of the server's version."""
_EXTENDED_AT: Final = 27

_SEND_TYPES: Final = 128
_VALUE_FOLLOWS: Final = b"\0"
_IS_NULL: Final = b"\1"
_UNSIGNED: Final = 128
_STRING, _LONGLONG, _DATETIME, _BLOB = 0xFE, 0x08, 0x0C, 0xFC

_SHORT: Final = 251
"""Lengths from here on take more than one byte."""
_SHORT_LENGTHS: Final = [_VALUE_FOLLOWS + bytes([n]) for n in range(_SHORT)]

_pack_signed: Final = struct.Struct("<Bq").pack
_pack_unsigned: Final = struct.Struct("<BQ").pack
_pack_time: Final = struct.Struct("<BBHBBBBBI").pack
_read_prepared: Final = struct.Struct("<xIHH").unpack_from
_MAX_SIGNED: Final = (1 << 63) - 1
_TIME_LENGTH: Final = 11


class NotEncodableError(Exception):
    """The protocol, as far as it is implemented here, cannot send these values."""


class Prepared(NamedTuple):
    """A prepared statement; the definitions of its parameters and columns follow."""

    id: int
    columns: int
    parameters: int

    @classmethod
    def of(cls, packet: bytes) -> Prepared:
        """Read the response to COM_STMT_PREPARE."""
        return cls(*_read_prepared(packet))


def is_offered(greeting: bytes) -> bool:
    """Return whether a server's greeting offers the bulk protocol; MySQL's does not."""
    after_version = greeting.index(b"\0", 1) + 1
    if greeting[after_version + _CAPABILITIES_AT] & _CLIENT_MYSQL:
        return False
    return bool(greeting[after_version + _EXTENDED_AT] & _STMT_BULK_OPERATIONS)


def accept(handshake: bytes) -> bytes:
    """Return the client's handshake, accepting the bulk protocol."""
    flags = int.from_bytes(handshake[:4], "little") & ~_CLIENT_MYSQL
    extended = _STMT_BULK_OPERATIONS.to_bytes(4, "little")
    return b"".join(
        (
            flags.to_bytes(4, "little"),
            handshake[4 : HANDSHAKE_HEADER - 4],
            extended,
            handshake[HANDSHAKE_HEADER:],
        )
    )


def prepared_text(query: str) -> str:
    """Return a statement with PyMySQL's placeholders as the server prepares it.

    Raises:
        NotEncodableError: it contains what the server would take for a placeholder.
    """
    if "?" in query:
        raise NotEncodableError(query)
    return query.replace("%s", "?").replace("%%", "%")


def encode(statement_id: int, rows: Sequence[Sequence[object]]) -> bytes:
    """Return the body of COM_STMT_BULK_EXECUTE: types, and the values row by row.

    Raises:
        NotEncodableError: a column has values of several types, or of one without an encoding.
        TypeError: a time is naive.
    """
    columns = [_Column.of(values) for values in zip(*rows, strict=True)]
    head = struct.pack("<IH", statement_id, _SEND_TYPES)
    types = bytes(chain.from_iterable(column.type for column in columns))
    by_row = zip(*(column.values for column in columns), strict=True)
    return b"".join((head, types, *chain.from_iterable(by_row)))


class _Column(NamedTuple):
    type: tuple[int, int]
    values: Iterable[bytes]

    @classmethod
    def of(cls, values: Sequence[Any]) -> _Column:
        kinds = set(map(type, values)) - {type(None)}
        if not kinds:
            return cls((_STRING, 0), repeat(_IS_NULL, len(values)))
        distinct = dict.fromkeys(values)  # many columns of a batch have one value
        distinct.pop(None, None)
        code, flag, encoded = _encoded(kinds, distinct)
        try:
            known = dict(zip(distinct, encoded, strict=True))
        except struct.error as error:
            raise NotEncodableError("an integer exceeds 64 bits") from error
        known[None] = _IS_NULL
        return cls((code, flag), [known[value] for value in values])


def _encoded(kinds: set[type], values: Iterable[Any]) -> tuple[int, int, Iterable[bytes]]:
    if all(issubclass(kind, str) for kind in kinds):  # enums as well
        return _STRING, 0, _byte_strings(map(str.encode, values))
    if kinds <= {int, bool}:
        if max(values) > _MAX_SIGNED:
            return _LONGLONG, _UNSIGNED, (_pack_unsigned(0, value) for value in values)
        return _LONGLONG, 0, (_pack_signed(0, value) for value in values)
    if kinds == {datetime}:
        return _DATETIME, 0, map(_time, values)
    if kinds == {bytes}:
        return _BLOB, 0, _byte_strings(values)
    raise NotEncodableError(f"no encoding of {', '.join(sorted(map(str, kinds)))} in one column")


def _byte_strings(values: Iterable[bytes]) -> list[bytes]:
    return [
        _SHORT_LENGTHS[len(value)] + value if len(value) < _SHORT else _long(value)
        for value in values
    ]


def _long(value: bytes) -> bytes:
    length = len(value)
    if length < 1 << 16:
        return b"\0\xfc" + length.to_bytes(2, "little") + value
    if length < 1 << 24:
        return b"\0\xfd" + length.to_bytes(3, "little") + value
    return b"\0\xfe" + length.to_bytes(8, "little") + value


def _time(moment: datetime) -> bytes:
    utc = in_utc(moment)
    date, time = (utc.year, utc.month, utc.day), (utc.hour, utc.minute, utc.second)
    return _pack_time(0, _TIME_LENGTH, *date, *time, utc.microsecond)
