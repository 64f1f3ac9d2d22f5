"""The file with the addresses of the local platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operations.errors import OpsError
from ops import local_platform

if TYPE_CHECKING:
    from pathlib import Path


def test_missing_file_means_that_no_platform_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDPHONE_STATE_DIR", str(tmp_path))

    assert local_platform.endpoints() is None


@pytest.mark.parametrize("content", [b"", b'{"amqp', b"\xff\xfe"])
def test_damaged_file_is_an_error_with_its_name(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endpoints.json").write_bytes(content)
    monkeypatch.setenv("CLOUDPHONE_STATE_DIR", str(tmp_path))

    with pytest.raises(OpsError, match=r"endpoints\.json.*make run"):
        local_platform.endpoints()


def test_unreadable_file_is_an_error_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endpoints.json").mkdir()  # root may read any file, but no folder
    monkeypatch.setenv("CLOUDPHONE_STATE_DIR", str(tmp_path))

    with pytest.raises(OpsError, match=r"endpoints\.json.*make run"):
        local_platform.endpoints()
