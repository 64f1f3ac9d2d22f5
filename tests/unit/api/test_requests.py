from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation_api.errors import ApiError
from allocation_api.requests import normalize, parse_json_object, routable


def event(body: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"rawPath": "/api/devices", "body": body, "headers": {}, **more}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_encoded_path_can_be_decoded(path: str) -> None:
    encoded = routable({"rawPath": path})["rawPath"]

    assert unquote(encoded, errors="strict") == path
    assert encoded.isascii()


def test_a_base64_body_is_decoded() -> None:
    encoded = base64.b64encode('{"userId": "用户"}'.encode()).decode()

    read = normalize(event(encoded, isBase64Encoded=True))

    assert read["body"] == '{"userId": "用户"}'
    assert read["isBase64Encoded"] is False


@pytest.mark.parametrize("body", ["!!!", "/w==", "gA"])
def test_a_base64_body_that_is_not_text_is_refused(body: str) -> None:
    with pytest.raises(ApiError) as refused:
        normalize(event(body, isBase64Encoded=True))

    assert refused.value.status == 422


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json", "Application/JSON; charset=utf-8", "", " "),
        "application/x-www-form-urlencoded",  # by default of curl -d
        "application/x-www-form-urlencoded; charset=utf-8",
    ],
)
@pytest.mark.parametrize("header", ["content-type", "Content-Type"])
def test_a_json_object_is_read_as_json(header: str, content_type: str) -> None:
    read = normalize(event("{}", headers={header: content_type}))

    assert read["body"] == "{}"
    assert read["headers"] == {"content-type": "application/json"}


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", "*", ";", "; a=b"])
def test_a_body_of_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(ApiError) as refused:
        normalize(event("{}", headers={"content-type": content_type}))

    assert (refused.value.status, refused.value.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", ["userId=u1", "[]", '{"a": ', "%7B%7D"])
def test_a_form_is_refused(body: str) -> None:
    with pytest.raises(ApiError) as refused:
        normalize(event(body, headers={"content-type": "application/x-www-form-urlencoded"}))

    assert (refused.value.status, refused.value.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["text/plain", ";"])
def test_without_a_body_the_content_type_does_not_matter(content_type: str) -> None:
    read = normalize(event(None, headers={"content-type": content_type, "x-other": "1"}))

    assert read["headers"] == {"content-type": "application/json", "x-other": "1"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "{'a': 1}", "NaN", '{"a": NaN}', '{"a": Infinity}', '{"a": "\\ud800"}'),
        *("[]", "[{}]", "null", '"text"', "1", '{"a": ' + "1" * 5000 + "}"),
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        '{"userId": "u1", "userId": "u2"}',
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_json_object(text)

    assert refused.value.status == 422
    assert "body" in str(refused.value.details)


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**63), 2**63) | st.none()))
def test_any_json_object_is_parsed(body: dict[str, Any]) -> None:
    assert parse_json_object(json.dumps(body)) == body
