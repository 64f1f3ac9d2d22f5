"""The events as an HTML page without scripts, made of the AsyncAPI document."""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEAD: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Events of CloudPhone Scheduler</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; max-width: 60rem; margin: 2rem auto; }
body { padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid #d1d9e0; padding-top: 1.5rem; }
h2 code { font-size: 1.1em; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; }
tr + tr { border-top: 1px solid #eaeef2; }
pre { background: #f6f8fa; padding: .8rem; overflow-x: auto; }
nav { columns: 3; }
nav a { display: block; }
.kind { color: #59636e; }
</style>
</head>
<body>
"""


def page(document: Mapping[str, Any]) -> str:
    """Return the page of an AsyncAPI document that `events.contracts.asyncapi` made."""
    messages = document["components"]["messages"]
    links = "".join(f'<a href="#{name}">{name}</a>\n' for name in messages if "." in name)
    about = _markdown(document["info"]["description"])
    sections = "".join(_section(name, one) for name, one in messages.items())
    return (
        f"{_HEAD}<h1>Events of CloudPhone Scheduler {document['info']['version']}</h1>\n"
        f"<p>{about}</p>\n"
        '<p>As a document for programs: <a href="asyncapi.json">AsyncAPI 3</a>.</p>\n'
        f"<nav>\n{links}</nav>\n{sections}</body>\n</html>\n"
    )


def _section(name: str, message: Mapping[str, Any]) -> str:
    parts = [f'<h2 id="{name}"><code>{name}</code></h2>\n', f"<p>{_markdown(message['summary'])}"]
    if effect := message.get("description"):
        parts.append(f" {_markdown(effect)}")
    parts.append(f"</p>\n<p class=kind>{_kind(message)}</p>\n")
    if "properties" in message["payload"]:
        parts.append(_table(_fields(message["payload"], "")))
    if "headers" in message and "required" in message["headers"]:
        parts.append(_table(_fields(message["headers"], "")))
    for example in message.get("examples", ()):
        body = json.dumps(example["payload"], ensure_ascii=False, indent=2)
        parts.append(f"<pre>{escape(body)}</pre>\n")
    return "".join(parts)


def _kind(message: Mapping[str, Any]) -> str:
    if "x-queue" not in message:
        return "published by the scheduler" if "." in message["name"] else ""
    kind = "critical" if message["x-critical"] else "informational"
    notified = (
        f"<code>{key}</code> ({', '.join(channels) or 'chosen channels'})"
        for key, channels in message["x-notifies"].items()
    )
    told = ", ".join(notified) or "nobody is notified"
    return f"consumed from <code>{message['x-queue']}</code> · {kind} · notifies: {told}"


def _fields(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in schema["properties"].items():
        mark = "" if name in schema.get("required", ()) else " <small>optional</small>"
        type_ = escape(_type(field))
        yield f"<code>{prefix}{name}</code>{mark}", type_, _markdown(field.get("description", ""))
        if "properties" in field:
            yield from _fields(field, f"{prefix}{name}.")


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "anyOf" in field:
        return " | ".join(str(one["type"]) for one in field["anyOf"])
    types = field.get("type", "any")
    named = [types] if isinstance(types, str) else [one for one in types if one != "null"]
    return field.get("format") or " | ".join(named)


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return f"<table>\n{''.join(f'<tr>{row}</tr>' + chr(10) for row in cells)}</table>\n"


def _markdown(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
