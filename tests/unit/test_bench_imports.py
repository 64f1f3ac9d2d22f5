"""Every module of the benchmarks can be imported: no rename elsewhere breaks one unnoticed."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from typing import Final

import bench
from bench import stages
from bench.machine import Machine, describe
from local.paths import ROOT

BENCH_ONLY: Final = ("aiomysql", "faststream", "matplotlib", "pyinstrument")
"""Libraries of .venv-bench; where they are not installed, stand-ins take their place."""

IMPORT_ALL: Final = """
import importlib, sys
from unittest.mock import MagicMock

class StandIns:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            return importlib.machinery.ModuleSpec(name, StandIns, is_package=True)

    @staticmethod
    def create_module(spec):
        return MagicMock(__path__=[], __spec__=spec)

    @staticmethod
    def exec_module(module):
        pass

sys.meta_path.insert(0, StandIns)
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def test_every_benchmark_can_be_imported() -> None:
    names = [one.name for one in pkgutil.walk_packages(bench.__path__, "bench.")]
    absent = [library for library in BENCH_ONLY if find_spec(library) is None]

    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, ",".join(absent), *names],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "bench.yardsticks.faststream_consumer" in names
    assert done.returncode == 0, done.stderr


def test_every_function_that_a_benchmark_times_exists() -> None:
    for stage, places in stages.STAGES.items():
        for owner, name in places:
            assert callable(getattr(owner, name, None)), f"{stage}: {owner} has no {name}"


def test_every_benchmark_says_how_busy_the_machine_was() -> None:
    programs = {
        path.stem: path.read_text("utf-8")
        for path in (ROOT / "bench").glob("*.py")
        if '__name__ == "__main__"' in path.read_text("utf-8")
    }
    del programs["backlog"], programs["fleet"]  # they calculate
    del programs["stages"]  # a process that `bench.cost` starts

    assert "ses_outage" in programs
    assert [name for name, text in programs.items() if "with watched()" not in text] == []


def test_a_machine_that_was_busy_after_the_run_is_named() -> None:
    quiet: Machine = {"cores": 2, "python": "3.13.0", "load": 0.1, "busy_percent": 3.0}

    assert describe(quiet) == "2 cores, Python 3.13.0, 3 % busy before the run"
    assert describe({**quiet, "busy_percent_after": 2.0}).endswith("2 % after it")
    assert "BUSY MACHINE" in describe({**quiet, "busy_percent_after": 60.0})
