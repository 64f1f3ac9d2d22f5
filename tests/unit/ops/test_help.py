"""The help of scheduler-ops explains every command and each of its arguments and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
import typer.main
from typer.core import TyperGroup

from ops.__main__ import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer's class is private
    """Yield a command and those below it, with their full names."""
    yield name, command
    if isinstance(command, TyperGroup):
        for short, below in command.commands.items():
            yield from commands(below, f"{name} {short}")


COMMANDS: Final = dict(commands(typer.main.get_command(app), "scheduler-ops"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_explained(name: str) -> None:
    command = COMMANDS[name]

    assert command.help
    assert [one.name for one in command.params if not getattr(one, "help", None)] == []
