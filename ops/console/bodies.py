"""The bodies of the page's own requests; those of operations have the models of the catalogue."""

from __future__ import annotations

from pydantic import Field

from operations.context import Arguments, Moment
from operations.dead_letters.arguments import SelectionArguments
from ops.console.letter_work import Verb


class GroupsBody(Arguments):
    """A look at the groups of dead letters.

    Attributes:
        depth: how many letters the page has seen in the queue.
        fresh: whether letters were changed, so that those read before are outdated.
    """

    depth: int | None = Field(default=None, ge=0)
    fresh: bool = False


class BeginBody(Arguments):
    """What is to be done to which letters, when the operator saw them, and how many they were.

    ``to`` is the queue for letters that come from no work queue.
    """

    verb: Verb
    selection: SelectionArguments
    until: Moment
    expected: int = Field(ge=0)
    to: str | None = None


class FormBody(Arguments):
    """A submitted form: the values of the fields of an event, by their paths."""

    event_type: str
    fields: dict[str, str]
