"""A small client: raw answers for tests of the wire, helpers for everything else."""

from typing import Any

import httpx

from support import server as environment

Json = dict[str, Any]

TERMINAL = {"completed", "failed", "cancelled", "timeout", "abandoned"}
# Every token and password of the run; the log check looks for them.
SECRETS: set[str] = {environment.PASSWORD, environment.JWT_SECRET, environment.MASTER_KEY}


class Api:
    """Speaks for one identity. The plain verbs return the raw response."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(path, params=query)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, json=body, headers=named)

    def put(self, path: str, body: Any) -> httpx.Response:
        return self.http.put(path, json=body)

    def delete(self, path: str) -> httpx.Response:
        return self.http.delete(path)

    # Signing in.

    def login(self, login: str, password: str) -> "Api":
        return self.signed_in(self.post("/auth/login", {"login": login, "password": password}))

    def register(self, login: str, password: str) -> "Api":
        body = {"login": login, "password": password}
        SECRETS.add(password)
        return self.signed_in(self.post("/auth/register", body))

    def signed_in(self, response: httpx.Response) -> "Api":
        return Api(self.url, tokens(response)["access_token"])

    # Packs.

    def upload(self, archive: bytes, *, force: bool = False) -> httpx.Response:
        files = {"pack": ("pack.tar.gz", archive, "application/gzip")}
        fields = {"force": "true"} if force else {}
        return self.http.post("/api/v1/packs/upload", files=files, data=fields)

    # Executions.

    def submit(self, action: str, parameters: Any = None, **fields: Any) -> Json:
        """Ask for an execution and do not wait for it."""
        body = {"action_ref": action, "parameters": parameters or {}, **fields}
        accepted: Json = data(self.post("/api/v1/executions/execute", body), 201)
        return accepted

    def run(self, action: str, parameters: Any = None, **fields: Any) -> Json:
        """Run an action to its end; return the execution."""
        body = {"action_ref": action, "parameters": parameters or {}, **fields}
        response = self.post("/api/v1/executions/execute", body, Prefer="wait=30")
        ended: Json = data(response, 201)
        assert ended["status"] in TERMINAL, ended
        return ended

    def result(self, action: str, parameters: Any = None, **fields: Any) -> Json:
        """Run an action that has to complete; return its result."""
        ended = self.run(action, parameters, **fields)
        assert ended["status"] == "completed", ended
        result: Json = ended["result"]
        return result

    def execution(self, number: int) -> Json:
        execution: Json = data(self.get(f"/api/v1/executions/{number}"))
        return execution

    def ended(self, number: int, seconds: int = 30) -> Json:
        """The execution once it is over."""
        headers = {"Prefer": f"wait={seconds}"}
        path = f"/api/v1/executions/{number}"
        execution: Json = data(self.http.get(path, headers=headers))
        assert execution["status"] in TERMINAL, execution
        return execution

    def cancel(self, number: int) -> httpx.Response:
        return self.post(f"/api/v1/executions/{number}/cancel")


def data(response: httpx.Response, status: int = 200) -> Any:
    """The `data` of an answer that has to have this status."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
    return response.json()["data"]


def page(response: httpx.Response) -> tuple[list[Json], Json]:
    """Items and pagination of a list."""
    assert response.status_code == 200, f"{response.status_code}: {response.text[:500]}"
    body = response.json()
    return body["items"], body["pagination"]


def error(response: httpx.Response, status: int, code: str) -> str:
    """The text of an error that has to have this status and code."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
    body = response.json()
    assert body["code"] == code, body
    text: str = body["error"]
    assert text
    return text


def unauthenticated(response: httpx.Response) -> None:
    """A refused bearer token has an answer of its own shape."""
    assert response.status_code == 401, response.text[:500]
    body = response.json()["error"]
    assert body["code"] == 401
    assert body["message"]


def tokens(response: httpx.Response) -> Json:
    """A new pair of tokens, remembered as secrets."""
    pair: Json = data(response)
    SECRETS.update((pair["access_token"], pair["refresh_token"]))
    return pair
