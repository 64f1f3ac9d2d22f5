"""``scheduler-ops events``: what events exist, and what each means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

import ops
from operations.errors import InvalidInputError
from operations.event_bodies import contract_of
from ops import options
from ops.terminal import handled_errors, print_result, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DOCUMENT: Final = Path(ops.__file__).parent.parent / "contracts" / "asyncapi.json"
_WIDTH: Final = 100


def events(
    event: Annotated[
        str | None,
        typer.Argument(metavar="[TYPE]", help="Event type, e.g. device.failed. Default: list all."),
    ] = None,
    *,
    as_json: options.JsonOption = False,
) -> None:
    """List the events, or show one: meaning, effect, fields, an example, who is notified.

    Reads the contracts of this checkout; needs no broker. Exit code: 2 unknown event.
    """
    with handled_errors(as_json=as_json):
        messages = _messages()
        if event is None:
            shown = {name: _summary(one) for name, one in messages.items()}
            print_result(_list(messages), {"events": shown}, as_json=as_json)
            return
        if event not in messages:
            contract_of(event)  # raises with a suggestion
            raise InvalidInputError(f"{event} is not in {_DOCUMENT}: run `make generate`")
        print_result(_describe(event, messages[event]), messages[event], as_json=as_json)


def _messages() -> dict[str, dict[str, Any]]:
    document = json.loads(_DOCUMENT.read_text("utf-8"))
    messages: dict[str, dict[str, Any]] = document["components"]["messages"]
    return {name: one for name, one in messages.items() if "." in name}


def _summary(message: Mapping[str, Any]) -> dict[str, str]:
    return {"class": _class(message), "meaning": _plain(message["summary"])}


def _class(message: Mapping[str, Any]) -> str:
    if "x-queue" not in message:
        return "published"
    return "critical" if message["x-critical"] else "informational"


def _list(messages: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("event", "class", "meaning", box=None, pad_edge=False)
    for name, message in messages.items():
        table.add_row(name, *_summary(message).values())
    return table


def _describe(name: str, message: Mapping[str, Any]) -> str:
    meaning = " ".join(filter(None, (message["summary"], message.get("description"))))
    lines = [f"{name} ({_class(message)})", *wrapped(_plain(meaning), at_most=_WIDTH), ""]
    rows = list(_fields(message["payload"], ""))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for path, type_, about in rows:
        start = f"  {path:{widths[0]}}  {type_:{widths[1]}}  "
        about_lines = wrapped(_plain(about), " " * len(start), at_most=_WIDTH) or [""]
        lines += [(start + about_lines[0].strip()).rstrip(), *about_lines[1:]]
    if "x-notifies" in message:
        lines += ["", *wrapped(f"Notifies: {_notifies(message)}", at_most=_WIDTH)]
    for example in message["examples"]:
        lines += ["", "Example:", json.dumps(example["payload"], ensure_ascii=False)]
    return "\n".join(lines)


def _fields(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in schema["properties"].items():
        optional = "" if name in schema.get("required", ()) else ", optional"
        yield f"{prefix}{name}", f"{_type(field)}{optional}", field.get("description", "")
        if "properties" in field:
            yield from _fields(field, f"{prefix}{name}.")


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    variants = [one["type"] for one in field["anyOf"]] if "anyOf" in field else field.get("type")
    types = [variants] if isinstance(variants, str) else variants or ["any"]
    return " | ".join(one for one in types if one != "null")


def _notifies(message: Mapping[str, Any]) -> str:
    kinds = (f"{key} ({', '.join(names)})" for key, names in message["x-notifies"].items())
    return ", ".join(kinds) or "nobody"


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")
