"""The commands of the AWS CLI in the documents exist, with their options.

The CLI makes them from botocore's models, so these say what it accepts.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Final

import botocore.session
import jmespath
import pytest
from botocore import xform_name

from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND: Final = re.compile(r"\baws ([a-z0-9-]+) ([a-z0-9-]+)((?:\\\n|[^`\n|#;()&])*)")
WITH_QUERY: Final = re.compile(
    r"\baws ([a-z0-9-]+) ([a-z0-9-]+) (?:[^`\n|;&]*? )?--query "
    r"""((?:'[^'\n]+'|"[^"\n]+"|[\w.])+)"""
)
OPTION: Final = re.compile(r"(?:^|\s)--([a-z][a-z0-9-]*)")
GLOBAL: Final = {"query", "output", "region", "profile", "no-cli-pager", "cli-read-timeout"}
OF_THE_CLI: Final = {"cloudformation deploy", "logs tail", "s3 cp"}
"""Commands that the CLI adds to the API's operations."""

session = botocore.session.Session()


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("events/*.md")]


def commands() -> list[tuple[str, str, frozenset[str]]]:
    found = {
        (service, operation, frozenset(OPTION.findall(rest)))
        for page in documents()
        for service, operation, rest in COMMAND.findall(page.read_text("utf-8"))
        if f"{service} {operation}" not in OF_THE_CLI
    }
    return sorted(found, key=lambda one: (*one[:2], sorted(one[2])))


def members(service: str, operation: str) -> tuple[dict[str, Any], list[str]]:
    """Return the options of an operation with their shapes, and those that it requires."""
    model = session.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(names[operation]).input_shape
    if shape is None:
        return {}, []
    options = {xform_name(name, "-"): one for name, one in shape.members.items()}
    return options, [xform_name(name, "-") for name in shape.required_members]


def test_the_documents_have_commands() -> None:
    assert ("mq", "describe-broker", frozenset({"broker-id", "query"})) in commands()


@pytest.mark.parametrize(("service", "operation", "options"), commands())
def test_command_exists_with_its_options(
    service: str, operation: str, options: frozenset[str]
) -> None:
    known, required = members(service, operation)
    flags = {f"no-{name}" for name, shape in known.items() if shape.type_name == "boolean"}

    assert options - GLOBAL <= known.keys() | flags
    assert set(required) <= options


def queries() -> list[tuple[str, str, str]]:
    """Return the operations with their ``--query``."""
    found = {
        (service, operation, *shlex.split(query))
        for page in documents()
        for service, operation, query in WITH_QUERY.findall(page.read_text("utf-8"))
    }
    return sorted(found)


def names(shape: Any) -> set[str]:  # noqa: ANN401 - botocore has no types
    """Return the names of the members of a shape and of those in it."""
    below: Iterator[Any] = iter(())
    if shape.type_name == "structure":
        below = iter(shape.members.values())
    elif shape.type_name == "list":
        below = iter((shape.member,))
    found = set(shape.members) if shape.type_name == "structure" else set()
    return found.union(*map(names, below))


def fields(node: dict[str, Any]) -> Iterator[str]:
    """Yield the names that a parsed query mentions."""
    if node["type"] == "field":
        yield node["value"]
    for child in node.get("children", []):
        if isinstance(child, dict):
            yield from fields(child)


@pytest.mark.parametrize(("service", "operation", "query"), queries())
def test_query_names_what_the_operation_returns(service: str, operation: str, query: str) -> None:
    model = session.get_service_model(service)
    by_command = {xform_name(name, "-"): name for name in model.operation_names}
    output = model.operation_model(by_command[operation]).output_shape
    mentioned = set(fields(jmespath.compile(query).parsed))

    assert mentioned
    assert mentioned <= names(output)
