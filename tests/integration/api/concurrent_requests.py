"""Many execution environments: processes that send one request each at the same moment.

Run with the environment variables of the function. Reads a JSON list of requests from stdin, and
prints status and code (or id, or number of successes) of the responses as its last line. Processes
are forked from one that has imported the function, which makes two hundred of them affordable;
that one never connects.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from allocation_api.app import handler
from tests.integration.api.client import ADMIN, Client


def send_when_started(gate: int, results: int, request: dict[str, Any]) -> None:
    """Wait for the start signal, send the request, and report the response."""
    os.read(gate, 1)
    reply = Client(handler).send(claims=ADMIN, **request)
    code = reply.body.get("error", {}).get("code")
    response = [reply.status, code or reply.body.get("id", reply.body.get("success"))]
    os.write(results, json.dumps(response).encode() + b"\n")  # shorter than PIPE_BUF: atomic


def send_all(requests: list[dict[str, Any]]) -> list[Any]:
    """Return the responses, in any order."""
    gate_in, gate_out = os.pipe()
    results_in, results_out = os.pipe()
    for request in requests:
        if os.fork() == 0:
            os.close(gate_out)
            try:
                send_when_started(gate_in, results_out, request)
            finally:
                os._exit(0)
    os.close(results_out)
    os.close(gate_out)
    with os.fdopen(results_in) as results:
        return [json.loads(line) for line in results]


if __name__ == "__main__":
    gc.disable()  # it would write to, and thereby copy, every page the processes share
    # The models of the route are built on first use: once, here, instead of in each process.
    Client(handler).send("POST", "/api/allocations", body={})
    print(json.dumps(send_all(json.load(sys.stdin))))
