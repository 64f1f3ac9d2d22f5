"""JSON in which no character can act on a terminal or start a new line.

Texts of messages are untrusted. ``json.dumps`` escapes only the control characters below U+0020;
with ``ensure_ascii`` it would also make Chinese unreadable.
"""

from __future__ import annotations

import json
import re
from typing import Final

# Delete and C1 (which some terminals obey like ESC), every format character (bidi, zero width,
# tags), line and paragraph separators. A test compares the list with the Unicode database, which
# takes too long to search at each cold start.
_UNSAFE: Final = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    "\U000e0020-\U000e007f]"
)


def safe_json(data: object) -> str:
    """Return data as JSON in one line, with unsafe characters escaped; other types become text."""
    return escape_unsafe(
        json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str),
    )


def escape_unsafe(json_text: str) -> str:
    r"""Escape the unsafe characters of a JSON text as ``\uXXXX``; its meaning stays the same.

    Only lone surrogates, which UTF-8 cannot encode, become question marks.
    """
    encodable = json_text.encode("utf-8", "replace").decode()
    return _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], encodable)
