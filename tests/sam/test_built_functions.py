"""Each built function starts and answers as Lambda would run it, on real servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import function_environment, websocket_environment
from local.template import deployed_function
from tests.integration.provisioning.cloudformation import CloudFormation
from tests.sam.built import ROOT, function_of
from tests.sam.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture
def variables(database_url: str, broker_url: str, aws_url: str) -> dict[str, str]:
    return {
        **function_environment(database_url, broker_url, aws_url),
        **websocket_environment(1),
        "POWERTOOLS_SERVICE_NAME": "built",
    }


def sample(name: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def answer(service: str, event: object, variables: Mapping[str, str], tmp: Path) -> Any:  # noqa: ANN401 - as above
    handler = deployed_function(service)["Handler"]
    with Emulator(function_of(service), handler, variables, tmp / "log") as emulator:
        return emulator.invoke(event)


@pytest.mark.parametrize("event", ["device-failed", "user-suspended", "billing-payment-failed"])
def test_an_event_function_settles_its_sample(
    event: str, variables: dict[str, str], tmp_path: Path
) -> None:
    service = event.partition("-")[0] + "-events"

    assert answer(service, sample(event), variables, tmp_path) == {"success": 1}


def test_the_api_answers(variables: dict[str, str], tmp_path: Path) -> None:
    event = sample("api/health")

    result = answer("allocation-api", event, variables, tmp_path)

    assert result["statusCode"] == 200, result


def test_the_dispatcher_finds_nothing_to_do(variables: dict[str, str], tmp_path: Path) -> None:
    result = answer("notification-dispatch", {}, variables, tmp_path)

    assert result["published"] == 0


def test_housekeeping_does_every_job(variables: dict[str, str], tmp_path: Path) -> None:
    result = answer("housekeeping", {}, variables, tmp_path)

    assert {job["status"] for job in result.values()} == {"done"}


def test_a_websocket_without_ticket_is_refused(variables: dict[str, str], tmp_path: Path) -> None:
    context = {"routeKey": "$connect", "connectionId": "abc=", "eventType": "CONNECT"}

    result = answer("realtime", {"requestContext": context}, variables, tmp_path)

    assert result == {"statusCode": 401}


def test_provisioning_answers_cloudformation(variables: dict[str, str], tmp_path: Path) -> None:
    with CloudFormation() as cloudformation:
        event = cloudformation.request("Delete", PhysicalResourceId="provisioning")
        answer("provisioning", event, variables, tmp_path)

        assert cloudformation.answer["Status"] == "SUCCESS"
