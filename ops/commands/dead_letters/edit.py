"""``scheduler-ops dead-letters edit``."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import uuid
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp
from typing import Annotated, Any, Final

import typer

from operations.errors import InvalidInputError, OpsError
from operations.event_bodies import refuse_unknown_fields, validate
from ops.commands.dead_letters import selecting
from ops.commands.dead_letters.old_letters import OldLetters
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.options import connects
from ops.terminal import print_result, printable
from scheduler.json_text import escape_unsafe
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

_DEFAULT_EDITOR: Final = "vi"


@connects
def edit(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Message id.")],
    *,
    queue: selecting.QueueOption = None,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="Accept fields that consumers ignore.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Do not check whether an old letter takes a device."),
    ] = False,
    operations: Operations,
    as_json: bool,
) -> None:
    """Correct the body of a dead letter in your editor ($VISUAL, $EDITOR), and replay it.

    The body is validated before anything happens. The message gets a new id, because the old one
    belongs to the old body, and the header x-edited-from with the old id. It keeps the time at
    which it was first received.

    If the event is older than a day and would take a device from a user who got it after the event,
    the command asks first. Without a terminal it then replays nothing, unless --yes is given.
    """
    found = selecting.show(operations, selecting.selection(queue, None, [id_], None, None))
    selecting.note(found)
    letter, fingerprint = _only(found, id_)
    body = _edited(letter, allow_unknown=allow_unknown)
    edited = {"fingerprint": fingerprint, "body": body}
    fresh = {"newId": str(uuid.uuid4()), "allowUnknown": allow_unknown}
    try:
        if not yes:
            check = OldLetters()
            check.add(operations.call("dead-letters.check-edit", edited))
            check.ask()
        done = operations.call("dead-letters.edit", edited | fresh)
    except OpsError:
        _keep(body)
        raise
    selecting.note_unwritten(done.pop("notNoted", ""))
    text = f"Replayed {done['id']} with its new body, as {done['newId']}."
    print_result(printable(text), done, as_json=as_json)


def _only(found: dict[str, Any], id_: str) -> tuple[dict[str, Any], str]:
    if not found["letters"]:
        selecting.require_match(found)
        raise OpsError(f"there is no dead letter {printable(id_)}; see dead-letters list")
    if len(found["letters"]) > 1:
        queues = ", ".join(letter["queue"] for letter in found["letters"])
        raise InvalidInputError(
            f"{len(found['letters'])} dead letters have this id ({queues}); add --queue, or discard"
            " those that are not needed"
        )
    return found["letters"][0], found["fingerprints"][0]


def _edited(letter: dict[str, Any], *, allow_unknown: bool) -> str:
    """Return the body that the operator wrote; until it is valid, they are asked again.

    Raises:
        OpsError: nothing was changed, the operator gave up, or no editor could be started.
    """
    queue = WORK_QUEUE_BY_NAME.get(letter["queue"])
    if queue is None:
        raise InvalidInputError(
            f"{letter['queue']} is not a work queue; replay the letter to the queue of an event"
            " (replay --to), and edit it if it fails again; or discard it"
        )
    if "bodyBase64" in letter:
        raise InvalidInputError("the body is not text; discard the letter and publish a new one")
    before = text = (
        escape_unsafe(json.dumps(letter["body"], ensure_ascii=False, indent=2)) + "\n"
        if "body" in letter
        else letter["bodyText"]
    )
    while True:
        changed = _in_editor(text)
        if changed == before:
            raise OpsError("the body was not changed; nothing was replayed")
        try:
            _validate(queue.event_type, changed, allow_unknown=allow_unknown)
        except InvalidInputError as error:
            text = changed
            if not _again(str(error)):
                _keep(text)
                raise OpsError("the body is invalid; nothing was replayed") from None
        else:
            return changed


def _again(problem: str) -> bool:
    try:
        return typer.confirm(f"{printable(problem)}\nEdit it again?", err=True)
    except typer.Abort:  # Ctrl-C, or no terminal
        return False


def _keep(text: str) -> None:
    """Write what the operator has typed to a file that only they can read, and name it."""
    number, name = mkstemp(".json", "dead-letter-")
    with os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    typer.echo(f"Your text is kept in {name}.", err=True)


def _in_editor(text: str) -> str:
    """Return a text after the operator has edited it.

    Raises:
        OpsError: the editor cannot be started, or failed.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _DEFAULT_EDITOR
    with TemporaryDirectory() as folder:  # readable by its owner only
        file = Path(folder, "body.json")
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
        try:
            subprocess.run([*shlex.split(editor), file], check=True)
        except subprocess.CalledProcessError as error:
            text = f"{editor} ended with exit code {error.returncode}; nothing was replayed"
            raise OpsError(text) from None
        except (OSError, ValueError) as error:
            raise OpsError(f"the editor failed: {error}; set $EDITOR") from None
        return file.read_text(encoding="utf-8", errors="surrogateescape")


def _validate(event_type: str, text: str, *, allow_unknown: bool) -> None:
    raw, now = text.encode("utf-8", "surrogateescape"), datetime.now(UTC)
    validate(event_type, raw, now)
    if not allow_unknown:
        refuse_unknown_fields(event_type, raw, now)
