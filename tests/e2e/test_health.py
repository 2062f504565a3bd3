"""Health, the OpenAPI document and its page: what needs no credential."""

import re

from support.api import Api

ROUTES = """
/api/v1/actions get post
/api/v1/actions/search get
/api/v1/actions/{ref} delete get put
/api/v1/agent/binary get
/api/v1/agent/info get
/api/v1/audit-events get
/api/v1/audit-events/{id} get
/api/v1/encryption get
/api/v1/encryption/rotate post
/api/v1/executions get
/api/v1/executions/execute post
/api/v1/executions/stats get
/api/v1/executions/status/{status} get
/api/v1/executions/stream get
/api/v1/executions/{id} get
/api/v1/executions/{id}/cancel post
/api/v1/executions/{id}/logs/{stream}/stream get
/api/v1/keys get post
/api/v1/keys/{ref} delete get put
/api/v1/keys/{ref}/increment post
/api/v1/packs get post
/api/v1/packs/upload post
/api/v1/packs/{ref} delete get put
/api/v1/packs/{ref}/actions get
/api/v1/workers get
/api/v1/workers/{id} get
/api/v1/workers/{id}/cordon post
/api/v1/workers/{id}/uncordon post
/auth/change-password post
/auth/ldap/login post
/auth/login post
/auth/me get put
/auth/refresh post
/auth/register post
/auth/settings get
/auth/token-login post
/health get
/health/detailed get
/health/live get
/health/ready get
/metrics get
"""


def test_health(anonymous: Api) -> None:
    assert anonymous.get("/health").json() == {"status": "ok"}


def test_health_in_detail(anonymous: Api) -> None:
    body = anonymous.get("/health/detailed").json()
    assert body["status"] == "ok"
    assert body["database"] == "connected"
    assert body["version"]


def test_probes(anonymous: Api) -> None:
    for probe in ("ready", "live"):
        response = anonymous.get(f"/health/{probe}")
        assert response.status_code == 200
        assert response.content == b""


def test_openapi_names_every_route_of_this_version(anonymous: Api) -> None:
    document = anonymous.get("/api-spec/openapi.json").json()
    assert document["openapi"].startswith("3.")
    described = {(path, verb) for path, verbs in document["paths"].items() for verb in verbs}
    lines = [line.split() for line in ROUTES.strip().splitlines()]
    assert described == {(path, verb) for path, *verbs in lines for verb in verbs}


def test_docs_page(anonymous: Api) -> None:
    response = anonymous.http.get("/docs", follow_redirects=True)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


def test_docs_page_loads_nothing_from_elsewhere(anonymous: Api) -> None:
    response = anonymous.get("/docs")
    directives = response.headers["content-security-policy"].split(";")
    policy = {name: sources for name, *sources in map(str.split, directives)}
    assert policy["default-src"] == ["'none'"]
    sources = {source for allowed in policy.values() for source in allowed}
    assert sources <= {"'none'", "'self'", "'unsafe-inline'"}
    assert not re.findall(r"//[a-z0-9][\w.:-]*", response.text, re.IGNORECASE)


def test_unknown_paths(anonymous: Api) -> None:
    assert anonymous.get("/no/such/path").status_code == 404
    assert anonymous.delete("/health").status_code == 405
