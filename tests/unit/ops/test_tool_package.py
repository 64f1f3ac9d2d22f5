"""The package of scheduler-ops contains what its commands import, and requires what they need."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZipFile

import pytest

from local.paths import ROOT
from scheduler.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "ops/pyproject.toml").read_text("utf-8"))
NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
PROGRAM: Final = """
import sys
FOREIGN = set(sys.argv.pop(1).split(","))

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FOREIGN:
            raise ModuleNotFoundError(f"not in the package: {name}", name=name)

sys.meta_path.insert(0, Refuse())
import importlib, pkgutil
import ops.commands
for module in pkgutil.walk_packages(ops.commands.__path__, "ops.commands."):
    importlib.import_module(module.name)
import ops.console.app
import ops.function_url
from ops.__main__ import main
main()
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distribution(requirement: str) -> str:
    """Return the name in a requirement."""
    found = NAME.match(requirement)
    assert found
    return normal(found[0])


def closure(names: Iterable[str]) -> set[str]:
    """Return distributions with all that they require, without extras."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = distribution(left.pop())
        if name not in found:
            found.add(name)
            try:
                needed = requires(name) or []
            except PackageNotFoundError:  # for another platform
                needed = []
            left += [one for one in needed if "extra ==" not in one]
    return found


def files_of(place: Path) -> list[str]:
    """Return the files below a folder, or ``.`` for a file."""
    if place.is_file():
        return ["."]
    found = (one for one in place.rglob("*") if one.is_file())
    return [str(one.relative_to(place)) for one in found if "__pycache__" not in one.parts]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the wheel contains, built with the locked version of hatchling."""
    folder = tmp_path_factory.mktemp("package")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT / "ops", check=True)
    (wheel,) = folder.glob("scheduler_ops-*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder / "site-packages")
    return folder / "site-packages"


@pytest.mark.parametrize("command", [("--version",), ("--help",), ("events",)], ids=" ".join)
def test_commands_need_only_the_package_and_its_requirements(
    package: Path, command: tuple[str, ...]
) -> None:
    allowed = closure(PROJECT["project"]["dependencies"])
    foreign = {
        module
        for module, owners in packages_distributions().items()
        if not allowed & {normal(owner) for owner in owners}
    }
    own = {"local", "tests", "allocation_api", "housekeeping", "provisioning", "realtime"}

    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, ",".join(foreign | own), *command],
        cwd=package,
        env={"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_wheel_has_the_version_the_command_and_every_file_of_its_folders(package: Path) -> None:
    """A command that misses a file, such as the console's page, fails only when it is used."""
    (about,) = package.glob("scheduler_ops-*.dist-info")
    parts = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    expected = {
        f"{target}/{file}".removesuffix("/.")
        for source, target in parts.items()
        for file in files_of((ROOT / "ops" / source).resolve())
    }

    assert f"Version: {VERSION}\n" in (about / "METADATA").read_text("utf-8")
    assert "scheduler-ops = ops.__main__:main" in (about / "entry_points.txt").read_text("utf-8")
    assert [one for one in sorted(expected) if not (package / one).is_file()] == []


def test_development_has_the_same_requirements() -> None:
    """The locked versions of development are those that are tested."""
    root = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    locked = {
        distribution(one)
        for group in root["dependency-groups"].values()
        for one in group
        if isinstance(one, str)
    }
    ours = set(map(distribution, PROJECT["project"]["dependencies"]))

    assert ours - {"botocore"} <= locked  # boto3 brings it
