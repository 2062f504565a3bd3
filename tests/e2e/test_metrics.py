"""Metrics: what they tell, what they do not, and to whom."""

import re

from support.api import SECRETS, Api, error, unauthenticated
from support.metrics import Metrics, read

# The only words besides methods and routes that tell one sample from another.
WORDS = {
    "class": "embedded hosted",
    "kind": "full unavailable",
    "outcome": "completed failed deadline fuel memory output trap cancelled setup lost released",
    "primed": "true false",
    "runner": "wasm",
    "state": "spare binding idle busy",
    "status": "1xx 2xx 3xx 4xx 5xx",
}
METHODS = {"GET", "POST", "PUT", "DELETE", "HEAD", "other"}


def scrape(api: Api) -> Metrics:
    return read(api.get("/metrics"))


def test_a_run_moves_the_numbers(behaviour: Api) -> None:
    before = scrape(behaviour)
    behaviour.run("behaviour.say", {"stdout": "x"})
    behaviour.run("behaviour.say", {"code": 3})
    behaviour.run("behaviour.busy_impatient")
    after = scrape(behaviour)

    def grew(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    for outcome in ("completed", "failed", "deadline"):
        runs = grew("attune_run_seconds_count", outcome=outcome, runner="wasm")
        assert runs == 1, (outcome, runs)
    assert grew("attune_run_seconds_bucket", outcome="completed", le="300") == 1
    execute = "/api/v1/executions/execute"
    requests = {"method": "POST", "route": execute, "status": "2xx"}
    assert grew("attune_http_request_seconds_count", **requests) == 3
    assert grew("process_cpu_seconds_total") >= 0
    ready, made = (grew("attune_instances_total", primed=word) for word in ("true", "false"))
    assert ready + made == 3


def test_commits_are_measured(admin: Api) -> None:
    before = scrape(admin)
    admin.run("core.noop")
    after = scrape(admin)
    for name in ("attune_commit_seconds_count", "attune_commit_jobs_sum"):
        assert after.value(name) >= before.value(name) + 2, name


def test_the_server_tells_how_it_is(admin: Api) -> None:
    metrics = scrape(admin)
    places = metrics.value("attune_run_places")
    assert places > 0
    assert 0 <= metrics.value("attune_runs") <= places
    assert metrics.value("attune_runners") >= 1
    assert metrics.value("attune_build_info") == 1
    assert metrics.value("process_open_fds") > 10
    assert metrics.value("process_resident_memory_bytes") > 1_000_000
    for name in ("attune_leases_lost_total", "attune_leases_revoked_total"):
        assert (name, frozenset()) in metrics.samples
    for tenants in ("embedded", "hosted"):
        for name in ("attune_queue_depth", "attune_queue_age_seconds"):
            assert (name, frozenset({("class", tenants)})) in metrics.samples


def test_names_follow_the_conventions(admin: Api) -> None:
    admin.run("core.noop")
    metrics = scrape(admin)
    for name in metrics.families():
        assert metrics.help.get(name), name
        kind = metrics.types[name]
        assert re.fullmatch(r"(attune|process)_[a-z_]+", name)
        assert (kind == "counter") == name.endswith("_total"), (name, kind)
        assert kind in ("counter", "gauge", "histogram"), (name, kind)


def test_labels_are_words_of_the_product(admin: Api, anonymous: Api) -> None:
    """No tenant, no id, no secret, and nothing that a stranger can choose."""
    chosen = "/stranger-chose-this?token=stranger-chose-this"
    anonymous.get(chosen)
    anonymous.http.request("STRANGER", chosen)
    anonymous.get("/api/v1/packs/stranger-chose-this")
    metrics = scrape(admin)
    assert "stranger" not in metrics.text.lower()
    assert not [secret for secret in SECRETS if secret in metrics.text]
    for name, value in metrics.labels():
        if name == "method":
            assert value in METHODS
        elif name == "route":
            assert value == "unmatched" or re.fullmatch(r"(/[a-z0-9_.{}-]+)+/?", value), value
        elif name == "version":
            assert re.fullmatch(r"[0-9.]+", value)
        else:
            assert value in WORDS[name].split(), (name, value)


def test_who_may(anonymous: Api, stranger: Api) -> None:
    unauthenticated(anonymous.get("/metrics"))
    unauthenticated(Api(anonymous.url, "no-token").get("/metrics"))
    error(stranger.get("/metrics"), 403, "FORBIDDEN")
