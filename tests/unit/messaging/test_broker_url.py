"""The broker's URL; a malformed one is refused without showing its password."""

import pytest

from scheduler.messaging.publisher import parameters
from scheduler.settings import BrokerSettings


def settings(url: str) -> BrokerSettings:
    return BrokerSettings.model_validate({"BROKER_URL": url})


def test_url_is_split_and_decoded() -> None:
    read = parameters(settings("amqp://us%40er:p%2Fw@mq.example:5673/cloud%2Fphone"))

    assert (read.host, read.port, read.virtual_host) == ("mq.example", 5673, "cloud/phone")
    assert (read.credentials.username, read.credentials.password) == ("us@er", "p/w")


@pytest.mark.parametrize("sign", "/#?")
def test_unencoded_password_is_refused_without_repeating_it(sign: str) -> None:
    with pytest.raises(ValueError, match="percent-encoded") as caught:
        parameters(settings(f"amqps://user:secret{sign}word@mq.example:5671/cloudphone"))

    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
