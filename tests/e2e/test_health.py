"""Health, the OpenAPI document and its page: what needs no credential."""

from support.api import Api


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
    paths = document["paths"]
    for path in (
        "/health",
        "/auth/login",
        "/auth/me",
        "/api/v1/packs/upload",
        "/api/v1/packs/{ref}",
        "/api/v1/actions",
        "/api/v1/executions/execute",
        "/api/v1/executions/{id}/cancel",
        "/api/v1/executions/stream",
    ):
        assert path in paths, sorted(paths)


def test_docs_page(anonymous: Api) -> None:
    response = anonymous.http.get("/docs", follow_redirects=True)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "http://" not in response.text.replace("http://127.0.0.1", "").replace(
        "http://www.w3.org", ""
    ), "the page loads nothing from elsewhere"


def test_unknown_paths(anonymous: Api) -> None:
    assert anonymous.get("/no/such/path").status_code == 404
    assert anonymous.delete("/health").status_code == 405
