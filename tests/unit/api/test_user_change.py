from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from allocation_api.resources.users import UserChange


def stored(**body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return UserChange.model_validate(body).model_dump(exclude_unset=True)


@pytest.mark.parametrize(
    "email",
    [
        *("a@b.co", "first.last+tag@sub.example-site.com", "o'neil@example.org"),
        "user@xn--fiqs8s.xn--0zwm56d",
    ],
)
def test_email_addresses_are_accepted(email: str) -> None:
    assert stored(email=email) == {"email": email}


@pytest.mark.parametrize(
    "email",
    [
        *("", "a", "a@", "@b.co", "a@b", "a b@c.de", "a@b c.de", "a@b..co", "a@b@c.de"),
        *("a@b.co\r\nBcc: x@y.zz", "a@b.co\n", "<a@b.co>", "a@b.co,c@d.ef", "用户@例子.中国"),
        *("a" * 65 + "@b.co", "a@" + "b" * 260 + ".co", "a\x00@b.co", 5, ["a@b.co"]),
    ],
)
def test_other_text_is_not_an_email_address(email: object) -> None:
    with pytest.raises(ValidationError):
        stored(email=email)


@pytest.mark.parametrize(
    "phone", ["+8613800138000", "+14155552671", "+1234567", "+123456789012345"]
)
def test_telephone_numbers_are_accepted(phone: str) -> None:
    assert stored(phone=phone) == {"phone": phone}


@pytest.mark.parametrize(
    "phone",
    [
        *("", "13800138000", "+0138001380", "+86 138 0013 8000", "+86-13800138000", "0086138001"),
        *(
            "+1",
            "+1234567890123456",
            "+８６１３８００１３８０００",
            "+8613800138000\n",
            8613800138000,
        ),
    ],
)
def test_other_text_is_not_a_telephone_number(phone: object) -> None:
    with pytest.raises(ValidationError):
        stored(phone=phone)


def test_absent_fields_are_kept_and_null_removes() -> None:
    assert stored() == {}
    assert stored(maxCpu=None, email=None) == {"max_cpu": None, "email": None}
    assert stored(maxMemoryMB=8192, maxDevices=0) == {"max_memory_mb": 8192, "max_devices": 0}


@pytest.mark.parametrize(
    "body",
    [
        *({"maxDevices": value} for value in (None, -1, 1_000_001, 1.5, "5", True, 2**63)),
        *({"maxCpu": value} for value in (-1, 1_000_000_001, 1.5, "5")),
        *({"timeZone": value} for value in ("", "Mars/Base", "../etc/passwd", "Asia", 8)),
        *({"locale": value} for value in (None, "", "fr", "zh-cn", 1)),
        {"max_devices": 5},
        {"maxMemoryMb": 5},
        {"status": "active"},
        {"billingHold": False},
    ],
)
def test_invalid_values_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        stored(**body)
