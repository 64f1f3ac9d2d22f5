"""Stores release reasons so that they can be shown in any language."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.domain.reasons import ReleaseReason
from scheduler.json_text import json_text
from scheduler.notification.catalogue import reason_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXT: Final = "text"


class StoredReason(NamedTuple):
    """The columns of a release reason; all are None while the allocation is active.

    ``text`` is in Chinese. ``details`` is None for releases of versions that did not store it.
    """

    code: str | None
    text: str | None
    details: str | None

    def in_language(self, locale: str) -> str | None:
        """Return the text in a language; in Chinese if it was stored without details."""
        if not (self.code and self.details):
            return self.text
        details: Mapping[str, Any] = json.loads(self.details)
        reason = ReleaseReason(self.code, details[_TEXT], details["params"])
        try:
            return reason_text(reason, locale)
        except KeyError:  # a later version, now rolled back, stored a text that this one lacks
            return self.text


NO_REASON: Final = StoredReason(None, None, None)
"""Of an active allocation."""


def to_columns(reason: ReleaseReason) -> StoredReason:
    """Return the columns to store."""
    details = {_TEXT: reason.text, "params": reason.params}
    return StoredReason(reason.code, reason_text(reason), json_text(details))
