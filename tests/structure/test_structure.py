"""Imports point in one direction, and files are short; `make structure` prints the figures."""

import sys
from collections import Counter

import pytest

from local.paths import ROOT
from tests.structure.source import (
    FOLDERS,
    Module,
    calls_of,
    circles,
    import_graph,
    line_counts,
    modules_that_name,
    package_graph,
    read_modules,
    repeated_types,
    silenced_without_reason,
    unused_names,
    zone_replacements,
)

FOREIGN_TIMES = {
    "operations.dead_letters.letter": "the header may come from another program, without a zone",
    "scheduler.messaging.contract": "times near the years 1 and 9999 cannot be converted",
    "scheduler.messaging.record": "Java's dates have no zone; Lambda's are in UTC",
    "scheduler.notification.preferences": "quiet hours are in the user's time zone",
}
"""Modules that give a time of foreign origin its zone, with the reason."""

MAX_LINES = 300


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    return read_modules(ROOT)


def test_no_modules_import_each_other(modules: dict[str, Module]) -> None:
    assert circles(import_graph(modules)) == []


def test_no_packages_of_the_layer_import_each_other(modules: dict[str, Module]) -> None:
    assert circles(package_graph(modules)) == []


def test_domain_imports_only_itself_and_the_standard_library(modules: dict[str, Module]) -> None:
    foreign = {
        f"{module.name} imports {name}"
        for module in modules.values()
        if module.package == "scheduler.domain"
        for name in module.imported()
        if not name.startswith("scheduler.domain.")
        if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_layer_imports_no_function(modules: dict[str, Module]) -> None:
    graph = package_graph(modules)

    assert {target for targets in graph.values() for target in targets} <= graph.keys()


def test_every_public_type_has_one_definition(modules: dict[str, Module]) -> None:
    assert repeated_types(modules) == {}


@pytest.mark.parametrize("function", ["commit", "hand_over"])
def test_only_the_unit_of_work_writes(function: str, modules: dict[str, Module]) -> None:
    where = [place.partition(":")[0] for place in calls_of(function, modules)]

    assert where == ["scheduler.unit_of_work"]


def test_only_the_database_package_changes_the_zone_of_our_times(
    modules: dict[str, Module],
) -> None:
    where = Counter(place.partition(":")[0] for place in zone_replacements(modules))

    assert where.keys() == FOREIGN_TIMES.keys()


def test_no_file_has_more_lines_than_one_subject_needs() -> None:
    lines = line_counts(ROOT, (*FOLDERS, "tests", "contracts/examples", "requirements"))

    assert {path: n for path, n in lines.items() if n > MAX_LINES} == {}, "split it by subject"


def test_servers_listen_in_one_way(modules: dict[str, Module]) -> None:
    """Otherwise their responses wait for the client's delayed ACK; see `ops.listening`."""
    assert modules_that_name("create_server", modules) == ["ops.listening"]


def test_every_silenced_check_has_its_reason_beside_it() -> None:
    folders = (*FOLDERS, "tests", "contracts/examples", "contracts/check", "requirements")

    assert silenced_without_reason(ROOT, folders) == []


def test_every_name_of_a_module_is_used_somewhere() -> None:
    assert unused_names(ROOT, (*FOLDERS, "tests", "requirements")) == []
