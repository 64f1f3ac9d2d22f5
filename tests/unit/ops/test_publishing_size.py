from datetime import UTC, datetime

import pytest

from operations.errors import ExitCode, InvalidInputError, OpsError
from operations.publishing import MAX_BODY_BYTES, publish_event

NOW = datetime(2026, 11, 26, tzinfo=UTC)
NOBODY = "amqp://127.0.0.1:1/nowhere"


def test_body_that_amazon_mq_would_refuse_is_not_published() -> None:
    with pytest.raises(InvalidInputError, match=r"524289 bytes.* at most 524288") as refused:
        publish_event(NOBODY, "device.failed", b"x" * (MAX_BODY_BYTES + 1), ["1"], NOW)

    assert refused.value.code == ExitCode.USAGE


def test_largest_body_is_sent_to_the_broker() -> None:
    with pytest.raises(OpsError) as unreachable:
        publish_event(NOBODY, "device.failed", b"x" * MAX_BODY_BYTES, ["1"], NOW)

    assert unreachable.value.code == ExitCode.FAILED
