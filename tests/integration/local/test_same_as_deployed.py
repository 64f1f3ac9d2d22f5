"""Local functions and mappings have the limits that template.yaml gives to the deployed ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local import event_source_mapping, gateway, template
from local.event_source_mapping.mapping import Batching
from scheduler.messaging.topology import WORK_QUEUES

if TYPE_CHECKING:
    from local.event_source_mapping.environment import Function

TEMPLATE: dict[str, Any] = template._template()
FUNCTIONS = {
    resource["Properties"]["Handler"]: resource["Properties"]
    for resource in TEMPLATE["Resources"].values()
    if resource["Type"] == "AWS::Serverless::Function"
}

LOCAL = [
    *(
        event_source_mapping._function(
            queue, {}, Path(), event_source_mapping.EVENT_FUNCTION_TIMEOUT
        )
        for queue in WORK_QUEUES[::5]
    ),
    gateway._function({}, Path()),
]


@pytest.mark.parametrize("local", LOCAL, ids=lambda function: function.name)
def test_a_local_function_has_the_settings_of_the_deployed_one(local: Function) -> None:
    deployed = FUNCTIONS[local.handler]

    assert local.timeout_seconds == deployed["Timeout"]
    assert local.memory_mb == TEMPLATE["Globals"]["Function"]["MemorySize"]
    service = deployed["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    assert local.variables["POWERTOOLS_SERVICE_NAME"] == service


def test_the_mappings_defaults_are_those_of_the_template() -> None:
    assert Batching().size == TEMPLATE["Parameters"]["BatchSize"]["Default"]
