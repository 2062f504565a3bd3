"""Bodies and paths that are wrong."""

import pytest

from support.api import Api, Json, data, error
from support.packs import small_pack, unique

EXECUTE = "/api/v1/executions/execute"


def send(api: Api, path: str, body: bytes, content_type: str = "application/json") -> int:
    response = api.http.post(path, content=body, headers={"Content-Type": content_type})
    assert response.json()["error"]
    return response.status_code


@pytest.mark.parametrize("path", [EXECUTE, "/api/v1/actions", "/api/v1/packs", "/auth/login"])
@pytest.mark.parametrize("body", [b"", b"{", b'{"a":', b"\xff\xfe", b'{"a": 1,}'])
def test_malformed_json(admin: Api, path: str, body: bytes) -> None:
    assert send(admin, path, body) == 400


@pytest.mark.parametrize("body", [b"{} {}", b"[" * 100_000, b'{"a":' * 100_000])
def test_malformed_json_whose_start_is_wrong_already(admin: Api, body: bytes) -> None:
    assert send(admin, EXECUTE, body) in (400, 422)


@pytest.mark.parametrize(
    "body",
    [
        [],
        ["core.echo", {"message": "fields have names"}],
        {},
        {"action_ref": 7},
        {"action_ref": None},
        {"action_ref": "core.echo", "permission_set_refs": "core.admin"},
        {"action_ref": "core.echo", "permission_set_refs": [1]},
        {"action_ref": "core.echo", "env_vars": "A=1"},
    ],
)
def test_wrong_types(admin: Api, body: object) -> None:
    response = admin.post(EXECUTE, body)
    assert response.status_code == 422, response.text
    assert response.json()["code"] in ("VALIDATION_ERROR", "UNPROCESSABLE_ENTITY")


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"": "x"}, "env_vars"),
        ({"A=B": "x"}, "env_vars"),
        ({"A\0B": "x"}, "env_vars"),
        ({"A": "x\0y"}, "env_vars.A"),
        ({"A": {"x": 1}}, "env_vars.A"),
    ],
)
def test_impossible_variables(admin: Api, variables: Json, field: str) -> None:
    response = admin.post(EXECUTE, {"action_ref": "core.echo", "env_vars": variables})
    error(response, 422, "VALIDATION_ERROR")
    assert field in response.text


def test_an_oversize_body(admin: Api) -> None:
    body = b'{"action_ref": "core.echo", "parameters": {"message": "' + b"x" * 40_000_000 + b'"}}'
    assert send(admin, EXECUTE, body) == 413


def test_another_content_type(admin: Api) -> None:
    body = b'{"action_ref": "core.echo"}'
    assert send(admin, EXECUTE, body, "text/plain") in (400, 415, 422)


def test_upload_without_its_file(admin: Api) -> None:
    path = "/api/v1/packs/upload"
    response = admin.http.post(path, files={"other": ("a.txt", b"x")})
    assert response.status_code in (400, 422)
    assert "pack" in response.json()["error"]
    assert send(admin, path, b"no multipart", "multipart/form-data") in (400, 415, 422)
    assert send(admin, path, b"--x\r\nbroken", "multipart/form-data; boundary=x") in (400, 422)


@pytest.mark.parametrize("number", ["0", "-1", "999999999"])
def test_unknown_executions(admin: Api, number: str) -> None:
    error(admin.get(f"/api/v1/executions/{number}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("number", ["abc", "1.5", "99999999999999999999"])
def test_executions_that_are_no_numbers(admin: Api, number: str) -> None:
    assert admin.get(f"/api/v1/executions/{number}").status_code in (400, 404, 422)


def test_unknown_refs(admin: Api) -> None:
    error(admin.get(f"/api/v1/packs/{unique()}"), 404, "NOT_FOUND")
    error(admin.get(f"/api/v1/actions/{unique()}.x"), 404, "NOT_FOUND")
    error(admin.post(EXECUTE, {"action_ref": f"{unique()}.x"}), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "ref", ["%2e%2e", "..%2f..%2fetc", "a%00b", "%27%20OR%201=1--", "x" * 9000]
)
def test_refs_that_try_something(admin: Api, ref: str) -> None:
    assert admin.get(f"/api/v1/packs/{ref}").status_code in (400, 404, 414, 422)


NUL_BODIES: list[tuple[str, Json]] = [
    ("/auth/register", {"login": "somebody\0else", "password": "a-good-password-77"}),
    ("/auth/login", {"login": "somebody\0else", "password": "a-good-password-77"}),
    ("/api/v1/packs", {"ref": "nul", "label": "a\0b", "version": "1.0.0"}),
    (EXECUTE, {"action_ref": "core.echo\0"}),
]


@pytest.mark.parametrize(("path", "body"), NUL_BODIES)
def test_a_nul_in_a_name(admin: Api, path: str, body: Json) -> None:
    """Not every database can keep one."""
    response = admin.post(path, body)
    assert response.status_code in (401, 404, 422), response.text


def test_a_nul_in_data(admin: Api) -> None:
    assert admin.result("core.echo", {"message": "a\0b"})["stdout"] == "a\0b"
    assert admin.http.get("/api/v1/executions?result_contains=a%00b").status_code == 400


ODD_PAGES = ["page=0", "page=-1", "page_size=0", "page=abc", "page=999", "page=" + "9" * 30]


@pytest.mark.parametrize("query", ODD_PAGES)
def test_odd_pages(admin: Api, query: str) -> None:
    assert admin.http.get(f"/api/v1/packs?{query}").status_code in (200, 400, 422)


def test_strings_with_everything_in_them(admin: Api) -> None:
    odd = "\u0000\u0001 'quotes\" \\ ü 漢字 🦀 \u2028 ; DROP TABLE execution; --"
    assert admin.submit("core.echo", {"message": odd})["config"] == {"message": odd}
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    assert admin.result(f"{ref}.echo", {"odd": odd})["data"] == {"odd": odd}
