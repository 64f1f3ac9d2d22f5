"""Under `sam local invoke`, settings that it cannot resolve are named in one line."""

import pytest

from scheduler.settings import BrokerSettings, DatabaseSettings

UNRESOLVED = "${Infrastructure.Outputs.BrokerEndpoint}/cloudphone"


class Both(DatabaseSettings, BrokerSettings):
    """The settings of a function that consumes events."""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Both.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_missing_servers_are_named_with_the_document_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    monkeypatch.setenv("BROKER_URL", UNRESOLVED)

    with pytest.raises(SystemExit) as end:
        Both.from_environment()

    assert str(end.value) == "no BROKER_URL, DATABASE_URL: see events/README.md"


def test_given_servers_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    monkeypatch.setenv("BROKER_URL", "amqp://host/cloudphone")

    assert BrokerSettings.from_environment().broker_url.get_secret_value().startswith("amqp://")


def test_deployed_functions_keep_every_character_of_a_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
    monkeypatch.setenv("BROKER_URL", UNRESOLVED)

    assert BrokerSettings.from_environment().broker_url.get_secret_value() == UNRESOLVED
