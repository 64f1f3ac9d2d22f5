"""schemathesis calls every operation of /openapi.json with valid and invalid data.

A schema cannot express everything, e.g. to which list a cursor belongs, so valid data may be
refused with 422. EXAMPLES (per operation) makes it longer: `make schemathesis`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.gateway.tokens import TokenIssuer

EXAMPLES = os.environ.get("EXAMPLES", "3")
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


def test_every_response_is_documented_and_none_is_a_server_error(
    api_url: str, issuer: TokenIssuer, tmp_path: Path
) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "hooks.py").write_text(HOOKS, "utf-8")
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)}
    token = issuer.issue_token("fuzzer", admin=True)

    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", f"{api_url}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--max-examples", EXAMPLES, "--generation-deterministic"),
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
