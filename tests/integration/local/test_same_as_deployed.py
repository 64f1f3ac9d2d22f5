"""Local functions and mappings have the limits of ``template.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local import template
from local.event_source_mapping.mapping import Batching
from local.lambda_runtime.functions import (
    ALLOCATION_API,
    DISPATCHER,
    HOUSEKEEPING,
    REALTIME,
    deployed,
)
from scheduler.messaging.topology import WORK_QUEUES

TEMPLATE: dict[str, Any] = template._template()
FUNCTIONS = {
    resource["Properties"]["Handler"]: resource["Properties"]
    for resource in TEMPLATE["Resources"].values()
    if resource["Type"] == "AWS::Serverless::Function"
}
SERVICES = {f"{queue.family}-events" for queue in WORK_QUEUES} | {
    ALLOCATION_API,
    DISPATCHER,
    HOUSEKEEPING,
    REALTIME,
}


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_local_function_has_the_settings_of_the_template(service: str) -> None:
    local = deployed(service, {}, Path())
    properties = FUNCTIONS[f"{service.replace('-', '_')}.app.handler"]

    assert local.handler == properties["Handler"]
    assert local.timeout_seconds == properties["Timeout"]
    assert local.memory_mb == (TEMPLATE["Globals"]["Function"] | properties)["MemorySize"]
    assert local.variables["POWERTOOLS_SERVICE_NAME"] == service


def test_default_batch_size_is_that_of_the_template() -> None:
    assert Batching().size == TEMPLATE["Parameters"]["BatchSize"]["Default"]
