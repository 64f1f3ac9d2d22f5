"""Every file in ``events/`` is processed by the deployed handler, in an environment like Lambda."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from events.api_requests import REQUESTS
from events.bad_samples import BAD
from events.generate import SAMPLES_FOLDER
from events.samples import VALID, Sample
from local import demo_data
from local.environment import function_environment
from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import Function
from local.servers.mariadb import MariaDB
from local.servers.moto import Moto
from local.servers.rabbitmq import RabbitMQ
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.support.queues import Queues
from tests.support.store import Store

SAMPLES = {
    str(path.relative_to(SAMPLES_FOLDER).with_suffix("")): path
    for path in SAMPLES_FOLDER.rglob("*.json")
}
MESSAGES: dict[str, Sample] = {
    **{sample.name: sample for sample in VALID},
    **{f"bad/{sample.name}": sample for sample in BAD},
}
STATUS = {f"api/{request.name}": request.status for request in REQUESTS}

Invoke = Callable[[str, Path], dict[str, Any]]


@pytest.fixture(scope="module")
def invoke(
    mariadb: MariaDB, rabbitmq: RabbitMQ, moto: Moto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Invoke]:
    """Return a function that invokes a handler with a file; each handler has one process."""
    variables = function_environment(mariadb.url, rabbitmq.url, moto.url)
    logs = tmp_path_factory.mktemp("logs")
    running: dict[str, LambdaEnvironment] = {}

    def invoke(package: str, path: Path) -> dict[str, Any]:
        if package not in running:
            function = Function(package, f"{package}.app.handler", variables, logs, 60)
            running[package] = LambdaEnvironment(function, "stream")
        answer: dict[str, Any] = json.loads(running[package].invoke(path.read_bytes()))
        return answer

    yield invoke
    for environment in running.values():
        environment.close()


@pytest.fixture
def demo(store: Store, aws_url: str) -> Store:
    """The demo data that the samples refer to, and empty tables in DynamoDB."""
    assert aws_url
    demo_data.seed(store.settings)
    return store


def test_every_file_has_a_sample_with_an_expected_outcome() -> None:
    assert set(SAMPLES) == {*MESSAGES, *STATUS}


@pytest.mark.parametrize("name", MESSAGES)
def test_message_sample_has_its_expected_outcome(
    name: str, demo: Store, queues: Queues, invoke: Invoke
) -> None:
    sample = MESSAGES[name]
    done = len(sample.messages) - sample.dead_letters

    totals = invoke(f"{sample.family}_events", SAMPLES[name])

    expected = {"success": done, "invalid": sample.dead_letters}
    assert totals == {outcome: count for outcome, count in expected.items() if count}
    assert queues.depth(DEAD_LETTER_QUEUE) == sample.dead_letters
    assert len(demo.state()["processed"]) == done


@pytest.mark.usefixtures("demo", "broker_url")
@pytest.mark.parametrize("name", STATUS)
def test_api_sample_has_its_expected_response(name: str, invoke: Invoke) -> None:
    assert invoke("allocation_api", SAMPLES[name])["statusCode"] == STATUS[name]
