"""schemathesis calls every operation of /openapi.json with valid and invalid data.

A schema cannot express everything, e.g. to which list a cursor belongs, so valid data may be
refused with 422. EXAMPLES (per operation) makes it longer, and different each time: `make
schemathesis`. The seed is printed; FUZZ_SEED repeats a run.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from local.gateway.tokens import TokenIssuer
    from tests.support.store import Store

EXAMPLES = os.environ.get("EXAMPLES")
# Released allocations can be read.
CONFIG = """
[checks]
positive_data_acceptance.enabled = false
use_after_free.enabled = false

[phases.coverage]
unexpected-methods = ["PATCH"]
"""
# A path with a question mark names another id, and the rest is a query: docs/api.md.
HOOKS = """
from urllib.parse import unquote
import schemathesis

@schemathesis.hook
def filter_path_parameters(context, path_parameters):
    return not any("?" in unquote(str(one)) for one in (path_parameters or {}).values())
"""
# Otherwise nearly everything would be about other users, and refused before it is looked at.
# Ids that are invalid stay so, or a request that must be refused would become a valid one.
OF_FUZZER = """
import re

def is_id(value):
    return isinstance(value, str) and re.fullmatch(r"[\\w.-]{1,64}", value)

@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and is_id(path_parameters.get("userId")):
        path_parameters["userId"] = "fuzzer"
    return path_parameters

@schemathesis.hook
def map_body(context, body):
    parts = body.get("requests", [body]) if isinstance(body, dict) else ()
    for one in parts if isinstance(parts, list) else ():
        if isinstance(one, dict) and is_id(one.get("userId")):
            one["userId"] = "fuzzer"
    return body
"""


@pytest.fixture
def api_settings() -> dict[str, str]:
    """So many requests a second that what they contain is looked at, also of health checks."""
    return {
        "CALLER_RATE_LIMIT": "10000",
        "CALLER_BURST_LIMIT": "100000",
        "HEALTH_RATE_LIMIT": "10000",
        "CREATIONS_PER_HOUR": "1000000",
    }


@pytest.mark.parametrize("admin", [True, False], ids=["administrator", "user"])
def test_every_response_is_documented_and_none_is_a_server_error(
    api_url: str, issuer: TokenIssuer, store: Store, tmp_path: Path, *, admin: bool
) -> None:
    store.run("INSERT INTO users (id, max_devices) VALUES ('fuzzer', 100)")
    (tmp_path / "schemathesis.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "hooks.py").write_text(HOOKS if admin else HOOKS + OF_FUZZER, "utf-8")
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)}
    token = issuer.issue_token("fuzzer", admin=admin)
    chosen = ["--generation-deterministic"]
    if EXAMPLES:
        seed = os.environ.get("FUZZ_SEED") or str(secrets.randbelow(2**32))
        print(f"FUZZ_SEED={seed} repeats this run")
        chosen = ["--seed", seed]

    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", f"{api_url}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--max-examples", EXAMPLES or "3", *chosen),
            *("--no-color", "--suppress-health-check", "all"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
