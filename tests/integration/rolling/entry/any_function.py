"""A handler that calls any function of a release, so that one process serves them all."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any


def handler(request: dict[str, Any], context: object) -> Any:  # noqa: ANN401 - as the function
    """Invoke ``request["function"]`` with ``request["event"]``."""
    app = importlib.import_module(f"{request['function']}.app")
    here = Path(os.environ["LAMBDA_TASK_ROOT"])
    assert Path(app.__file__ or "").is_relative_to(here), f"{app.__file__} is not of this release"
    return app.handler(request["event"], context)
