"""A server is killed again and again at moments that nobody chose, and started again each time."""

import random
import time
from collections.abc import Callable

import pytest

from conftest import database
from support import history
from support.api import Api, data
from support.leftovers import leftovers
from support.packs import install_behaviour
from support.server import Server
from support.workload import Workload, moving_pack

SignIn = Callable[[Server], Api]

KILLS = 8


@pytest.fixture(params=["sqlite", "postgres"])
def server(start_server: Callable[..., Server], request: pytest.FixtureRequest) -> Server:
    return start_server(
        runners=2,
        places_per_runner=3,
        worker_name="one",
        log_level=history.LOG_LEVEL,
        **database(request),
    )


@pytest.mark.allow_log("^attune runner: Broken pipe")
def test_nothing_is_lost_and_nothing_runs_twice(
    server: Server, signed_in: SignIn, seed: str
) -> None:
    api = signed_in(server)
    install_behaviour(api)
    data(api.upload(moving_pack(0)), 201)
    assert api.token is not None
    workload = Workload([server], api.token, seed)
    chance = random.Random(seed)
    address = server.url.removeprefix("http://")
    with workload.running():
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.1, 2))
            workload.lost(server)
            server.kill()
            server.start(address)
    problems = list(workload.problems(Api(server.url, api.token)))
    assert server.stop() == 0
    problems += leftovers([server])
    problems += history.problems(history.read("one", server.log), workload.facts())
    assert not problems, f"ATTUNE_TEST_SEED={seed}:\n" + "\n".join(problems)
