"""``make up`` with data of its own, and a network on which containers reach it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from local.sam.invoke import SamLocal, image, server_ports
from local.sam.network import ContainerNetwork
from tests.integration.provisioning.cloudformation import CloudFormation
from tests.sam.docker.stage import Stage
from tests.support.folders import server_folder
from tests.support.local_platform import LocalPlatform
from tests.support.queues import Queues
from tests.support.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def platform() -> Iterator[LocalPlatform]:
    with server_folder() as folder, closing(LocalPlatform(folder / "state")) as made:
        made.up()
        yield made


@pytest.fixture(scope="session")
def cloudformation() -> Iterator[CloudFormation]:
    with CloudFormation() as made:
        yield made


@pytest.fixture(scope="session")
def sam(
    platform: LocalPlatform,
    cloudformation: CloudFormation,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SamLocal]:
    endpoints = platform.endpoints()
    with ContainerNetwork(image(), server_ports(endpoints) | {cloudformation.port}) as network:
        yield SamLocal(endpoints, network.name, tmp_path_factory.mktemp("sam"), print_output=print)


@pytest.fixture(scope="session")
def _stage(sam: SamLocal) -> Iterator[Stage]:
    store, endpoints = Store(sam.endpoints["database"]), sam.endpoints
    yield Stage(sam, store, Queues(endpoints["amqp"]), endpoints)
    store.database.close()


@pytest.fixture
def stage(_stage: Stage) -> Stage:
    _stage.reset()
    return _stage
