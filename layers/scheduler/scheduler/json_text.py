"""JSON text: compact, and without characters that act on a terminal; and names that occur twice."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pydantic_core import to_json

# Delete and C1 (which some terminals obey like ESC), every format character (bidi, zero width,
# tags), line and paragraph separators. A test compares the list with the Unicode database, which
# takes too long to search at each cold start.
_UNSAFE: Final = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    "\U000e0020-\U000e007f]"
)

_MAX_NAME: Final = 64
"""Characters of a name in an error: it may be as long as the text."""


class RepeatedNameError(ValueError):
    """A name occurs twice in a JSON object, with different values."""


def unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of its names and values; the ``object_pairs_hook`` of the json module.

    Parsers take the first value, or the last (RFC 8259, 4): the writer may mean another user.

    Raises:
        RepeatedNameError: a name has different values.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] != value:
                shown = name[:_MAX_NAME].encode("utf-8", "replace").decode()
                raise RepeatedNameError(f"{shown}: occurs twice, with different values")
    return found


def json_text(data: object) -> str:
    """Return data as JSON without spaces; decimals and values of other types become text.

    Pydantic's encoder takes a fraction of the time of the standard one. Lone surrogates, which
    UTF-8 cannot encode, stay in the text.
    """
    try:
        return to_json(data, fallback=str).decode()
    except ValueError:  # lone surrogates, bytes that are not UTF-8, or more than 255 levels
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)


def safe_json(data: object) -> str:
    """Return data as JSON in one line, with unsafe characters escaped; other types become text."""
    return escape_unsafe(json_text(data))


def escape_unsafe(text: str) -> str:
    r"""Escape the unsafe characters of JSON as ``\uXXXX``; its meaning stays the same.

    Only lone surrogates, which UTF-8 cannot encode, become question marks.
    """
    if text.isprintable():  # ten times as fast as the search
        return text
    encodable = text.encode("utf-8", "replace").decode()
    return _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], encodable)
