"""A pytest plugin that runs the collected tests on each mutant, in a fork of the session.

Cosmic Ray's own runner starts Python and pytest anew for each mutant, which takes some seconds.
Here a mutant takes the time of the tests that execute the changed function, the quickest first,
until one fails. A change that takes effect at the import, such as one of a constant, is imported
and collected anew.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from tests.mutants.change import import_anew, swap_code

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from tests.mutants.change import Module
    from tests.mutants.mutants import Mutant

_POLL_SECONDS: Final = 0.003
_MEASURING: Final = 900.0
"""Seconds for the tests without a mutant."""
_BROKEN: Final = 70
"""The exit code of a fork that did not get as far as to run tests."""
_OPTIONS: Final = ("-x", "-q", "-s", "-p", "no:cacheprovider")


class Test(NamedTuple):
    """A test, how long it takes, and the lines of each file that it executes."""

    item: pytest.Item
    seconds: float
    lines: dict[str, list[int]]


class Session:
    """Runs tests on each mutant of some modules, and tells the results.

    Args:
        mutants: what each module is replaced by.
        paths: the tests.
        folder: for files of the forks.
        tell: is called with each mutant and whether it survived.
        end: the time of the monotonic clock at which the remaining mutants are left out.
    """

    def __init__(
        self,
        mutants: Mapping[Module, Sequence[Mutant]],
        paths: Sequence[str],
        folder: Path,
        tell: Callable[[Module, Mutant, bool], None],
        end: float,
    ) -> None:
        self._mutants = mutants
        self._paths = paths
        self._folder = folder
        self._tell = tell
        self._end = end
        self.broken = ""

    def run(self) -> None:
        """Run pytest; `broken` tells why mutants were not tried."""
        pytest.main([*_OPTIONS, *self._paths], [self])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests without a change, then on each mutant, instead of once."""
        self._keep_servers(session)
        for module in self._mutants:
            importlib.import_module(module.name)  # the product imports some when it needs them
        noted = self._folder / "tests.json"
        files = {str(module.file) for module in self._mutants}
        code, seconds = self._fork(lambda: _measure(session.items, files, noted), _MEASURING)
        if code != 0:
            self._break("the tests fail without a mutant")
            return True
        measured = zip(session.items, json.loads(noted.read_text("utf-8")), strict=True)
        tests = [Test(item, *noted) for item, noted in measured]
        tests.sort(key=lambda test: test.seconds)
        for module, mutant in self._pairs():
            if time.monotonic() > self._end:
                self.broken = "the time is over: not all mutants were tried"
                break
            code, _ = self._fork(self._trial(module, mutant, tests), 10 + 5 * seconds)
            if code == _BROKEN:
                self._break(f"{module.name}:{mutant.line} could not be tried")
                break
            self._tell(module, mutant, code == 0)
        return True

    def _break(self, why: str) -> None:
        output = (self._folder / "output").read_text("utf-8")
        self.broken = f"{why}:\n{output[-5000:]}"

    def _pairs(self) -> Iterator[tuple[Module, Mutant]]:
        return ((module, one) for module, some in self._mutants.items() for one in some)

    def _trial(self, module: Module, mutant: Mutant, tests: Sequence[Test]) -> Callable[[], int]:
        lines, file = set(mutant.function or ()), str(module.file)
        concerned = [one.item for one in tests if lines.intersection(one.lines.get(file, ()))]
        if not concerned:
            return lambda: self._collect_anew(module, mutant)

        def trial() -> int:
            if not swap_code(module, mutant.source):
                return self._collect_anew(module, mutant)
            return _run(concerned)

        return trial

    def _collect_anew(self, module: Module, mutant: Mutant) -> int:
        import_anew(module, mutant.source)
        return pytest.main([*_OPTIONS, *self._paths], [_Reuse(self._servers)])

    def _keep_servers(self, session: pytest.Session) -> None:
        """Await the servers that the tests need; the forks use them, and do not revive them."""
        servers: Any = sys.modules["tests.servers"]
        needed = {name for item in session.items for name in getattr(item, "fixturenames", ())}
        names = needed.intersection(servers._SERVERS)
        self._servers = {name: servers._pool(session.config).get(name) for name in names}
        for server in self._servers.values():
            # A fork cannot wait for the process of its parent, and would take it for dead.
            server.failure = lambda: None

    def _fork(self, action: Callable[[], int], timeout: float) -> tuple[int, float]:
        """Return what an action returned in a process of its own, and the seconds it took.

        `_BROKEN` if it raised an exception; another number than 0 if the process died or hung.
        """
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            code = _BROKEN
            try:
                os.setpgid(0, 0)
                with (self._folder / "output").open("w") as output:
                    os.dup2(output.fileno(), 1)
                    os.dup2(output.fileno(), 2)
                code = action()
            except BaseException:  # noqa: BLE001 - the fork ends here, whatever it is
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(code)
        while time.monotonic() < started + timeout:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status), time.monotonic() - started
            time.sleep(_POLL_SECONDS)  # waitpid has no timeout
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return -signal.SIGKILL, time.monotonic() - started


class _Reuse:
    """A pytest plugin: the fixtures of servers return those that run."""

    def __init__(self, servers: dict[str, Any]) -> None:
        self._servers = servers

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self) -> None:
        pool: Any = sys.modules["tests.servers"].ServerPool
        pool.begin = lambda _self, _name: None
        pool.get = lambda _self, name: self._servers[name]


class _Failed:
    """A pytest plugin that notes whether a test failed."""

    failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed


def _run(items: Sequence[pytest.Item], after: Callable[[], object] = lambda: None) -> int:
    """Run tests until one fails; return 1 if one did, else 0."""
    if not items:
        return 0
    watch = _Failed()
    items[0].config.pluginmanager.register(watch)
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if watch.failed:
            return 1
        after()
    return 0


def _measure(items: Sequence[pytest.Item], files: Collection[str], result: Path) -> int:
    """Write, for each test, the seconds that it takes and the lines that it executes."""
    lines: dict[str, set[int]] = {file: set() for file in files}
    noted: list[tuple[float, dict[str, list[int]]]] = []
    started = [time.monotonic()]

    def note() -> None:
        found = {file: sorted(some) for file, some in lines.items() if some}
        noted.append((time.monotonic() - started[0], found))
        for some in lines.values():
            some.clear()
        started[0] = time.monotonic()
        sys.settrace(trace)  # Python drops it when it fails, as at the end of a deep recursion

    def trace(frame: FrameType, _event: str, _value: object) -> Any:  # noqa: ANN401 - itself
        if (executed := lines.get(frame.f_code.co_filename)) is None:
            return None
        executed.add(frame.f_lineno)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    code = _run(items, note)
    sys.settrace(None)
    result.write_text(json.dumps(noted), "utf-8")
    return code
