"""Handlers that follow a test's instructions and write their events to PROBE_FILE."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def _crash() -> None:
    os._exit(3)


def _hang() -> None:
    time.sleep(600)


def _outlast_heartbeats() -> None:
    time.sleep(3.5)


def _fail() -> None:
    raise LookupError("told to fail \x1b[2J\x9b\u202e设备")


def _work() -> None:
    time.sleep(0.5)


def _work_until_told() -> None:
    while not Path(os.environ["PROBE_FILE"]).with_suffix(".told").exists():
        time.sleep(0.01)


_ACTIONS = {
    "crash": _crash,
    "hang": _hang,
    "fail": _fail,
    "work": _work,
    "work until told": _work_until_told,
    "outlast heartbeats": _outlast_heartbeats,
}


def note(**seen: object) -> None:
    with Path(os.environ["PROBE_FILE"]).open("a") as file:
        file.write(json.dumps(seen) + "\n")


def consume(event: dict[str, Any], _context: object) -> None:
    """Execute bodies that name an action, but only on first delivery."""
    ((queue, records),) = event["rmqMessagesByQueue"].items()
    bodies = [base64.b64decode(record["data"])[:100].decode() for record in records]
    redelivered = [record["redelivered"] for record in records]
    size = len(json.dumps(event))
    note(
        at="start", queue=queue, bodies=bodies, redelivered=redelivered, pid=os.getpid(), size=size
    )
    for body, again in zip(bodies, redelivered, strict=True):
        if body in _ACTIONS and not again:
            _ACTIONS[body]()
    note(at="end", bodies=bodies, pid=os.getpid())


def echo(event: object, _context: object) -> object:
    return event


def describe(_event: object, context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's context has no types
    return {
        "id": context.aws_request_id,
        "name": context.function_name,
        "memory": context.memory_limit_in_mb,
        "arn": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),
        "path": sys.path,
    }


def fail(_event: object, _context: object) -> None:
    _fail()


def crash(event: object, _context: object) -> int:
    if event == "crash":
        _crash()
    return os.getpid()


def leave(_event: object, _context: object) -> None:
    sys.exit(1)


def hang(event: object, _context: object) -> int:
    if event == "hang":
        _hang()
    return os.getpid()


def unmarshallable(_event: object, _context: object) -> object:
    return object()


def enormous(_event: object, _context: object) -> str:
    return "x" * 7_000_000


def speak(_event: object, _context: object) -> None:
    print("said on stdout")
    print("said on stderr", file=sys.stderr)


def respond(event: dict[str, Any], _context: object) -> object:
    """Return what the request's body says, else the event itself."""
    instructions = json.loads(event.get("body") or "{}")
    if "action" in instructions:
        _ACTIONS[instructions["action"]]()
    if "answer" in instructions:
        return instructions["answer"]
    return {"statusCode": 200, "body": json.dumps(event)}


def websocket(event: dict[str, Any], _context: object) -> object:
    """Note the event and return what the connection's query or message says."""
    note(**event)
    context = event.get("requestContext", {})
    if context.get("routeKey") == "$connect":
        return {"statusCode": int((event.get("queryStringParameters") or {}).get("status", 200))}
    if event.get("body") == "fail":
        _fail()
    return {"statusCode": 200}


def scheduled(event: dict[str, Any], _context: object) -> None:
    """Note the event."""
    note(**event)
