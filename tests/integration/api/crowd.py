"""Many execution environments at once: processes that send one request each at the same moment.

Run with the function's environment; reads a list of requests as JSON from stdin and prints, as its
last line, status and code (or id, or number of successes) of the answers. Processes are forked from
one that has imported the function, which is what makes two hundred of them affordable; that one
never connects.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from allocation_api.app import handler
from tests.integration.api.client import ADMIN, Client


def answer_when_started(gate: int, results: int, request: dict[str, Any]) -> None:
    """Wait until everybody is there, send the request, report the answer."""
    os.read(gate, 1)
    reply = Client(handler).send(claims=ADMIN, **request)
    code = reply.body.get("error", {}).get("code")
    answer = [reply.status, code or reply.body.get("id", reply.body.get("success"))]
    os.write(results, json.dumps(answer).encode() + b"\n")  # shorter than PIPE_BUF: atomic


def crowd(requests: list[dict[str, Any]]) -> list[Any]:
    """Return the answers, in no particular order."""
    gate_in, gate_out = os.pipe()
    results_in, results_out = os.pipe()
    for request in requests:
        if os.fork() == 0:
            os.close(gate_out)
            try:
                answer_when_started(gate_in, results_out, request)
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
    print(json.dumps(crowd(json.load(sys.stdin))))
