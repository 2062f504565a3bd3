"""Servers of their own for tests that kill them."""

import logging
import os
import secrets
from collections.abc import Callable

import pytest

from conftest import database
from support.api import Api
from support.packs import install_behaviour
from support.server import LOGIN, PASSWORD, Server


@pytest.fixture(params=["sqlite", "postgres"])
def small_server(start_server: Callable[..., Server], request: pytest.FixtureRequest) -> Server:
    """Two runners with two places each, and the pack `behaviour`; on each engine."""
    server = start_server(runners=2, places_per_runner=2, **database(request))
    install_behaviour(sign_in(server))
    return server


@pytest.fixture
def signed_in() -> Callable[[Server], Api]:
    return sign_in


@pytest.fixture
def seed() -> str:
    """Of all that a test leaves to chance; ATTUNE_TEST_SEED has it do the same again."""
    chosen = os.environ.get("ATTUNE_TEST_SEED") or secrets.token_hex(4)
    logging.getLogger(__name__).warning("ATTUNE_TEST_SEED=%s", chosen)
    return chosen


def sign_in(server: Server) -> Api:
    return Api(server.url).login(LOGIN, PASSWORD)
