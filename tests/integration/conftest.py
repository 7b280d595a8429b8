"""One broker a session, topics and a group of its own for every test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker, NoBroker, broker
from tests.integration.registry import SchemaRegistry, registry
from tests.integration.site import Site


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    try:
        with broker(tmp_path_factory.mktemp("broker")) as running:
            yield running
    except NoBroker as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def schema_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchemaRegistry]:
    try:
        with registry(tmp_path_factory.mktemp("registry")) as running:
            yield running
    except NoBroker as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def site(kafka: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    """Fresh topics on the session's broker, of three partitions or as many as the test asks for."""
    site = Site(kafka.bootstrap, uuid.uuid4().hex[:8], tmp_path)
    site.create(getattr(request, "param", 3))
    return site
