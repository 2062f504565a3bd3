"""Keys of the tests' own."""

import base64
import json
from pathlib import Path
from typing import Any

from support.api import SECRETS, Api, Json, data, page
from support.packs import archive_files, pack_files, unique

KEYS = "/api/v1/keys"
ENCRYPTION = "/api/v1/encryption"

# Sends requests to the server's API with the execution's token; prints what each was answered.
CALLS = """
import http.client, json, os, sys
from urllib.parse import urlsplit

calls = json.load(sys.stdin)["calls"]
api = urlsplit(os.environ["ATTUNE_API_URL"])
token = os.environ["ATTUNE_API_TOKEN"]
headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
answers = []
for method, path, body in calls:
    connection = http.client.HTTPConnection(api.hostname, api.port, timeout=20)
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, headers)
    response = connection.getresponse()
    answers.append([response.status, json.loads(response.read())])
    connection.close()
print(json.dumps(answers))
"""


def new_key(ref: str, value: Any, **more: Any) -> Json:
    return {"ref": ref, "name": ref, "owner_type": "system", "value": value, **more}


def add_key(api: Api, value: Any, ref: str = "", **more: Any) -> Json:
    """Create a key; return what was answered."""
    body = new_key(ref or unique("key"), value, **more)
    made: Json = data(api.post(KEYS, body), 201)
    return made


def forget_keys(api: Api) -> None:
    """Delete the tenant's own keys: every action that runs later would see them."""
    while keys := page(api.get(KEYS, owner_type="system", per_page=500))[0]:
        for key in keys:
            ref = "".join(f"%{byte:02X}" for byte in key["ref"].encode())
            assert api.http.delete(f"{KEYS}/{ref}").status_code == 200


def value_of(api: Api, ref: str) -> Any:
    return data(api.get(f"{KEYS}/{ref}"))["value"]


def increment(api: Api, ref: str, **body: int) -> Any:
    return data(api.post(f"{KEYS}/{ref}/increment", body))["value"]


class Caller:
    """A pack `ref` with an action that speaks to the API, as an execution with these sets does."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.ref = unique("caller")
        self.action = f"{self.ref}.calls"
        data(api.upload(archive_files(pack_files(self.ref, calls=CALLS))), 201)

    def send(self, *calls: tuple[str, str, Any], sets: list[str]) -> list[tuple[int, Json]]:
        parameters = {"calls": [list(call) for call in calls]}
        result = self.api.result(self.action, parameters, permission_set_refs=sets)
        return [(status, body) for status, body in result["data"]]


def planted() -> str:
    """A secret that the log check looks for from now on."""
    secret = unique("planted-secret")
    SECRETS.add(secret)
    return secret


def traces(secret: str, *places: Path) -> list[str]:
    """Files below these places that hold the secret, in any form in which it could be written."""
    raw = secret.encode()
    # In base64 it depends on what stands before it: two characters at each end may differ.
    shifted = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    forms = [raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(), *shifted]
    forms += [secret.encode("utf-16-le"), json.dumps(secret).encode()]
    found = []
    for place in places:
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                found += [str(path) for form in forms if form in content]
    return found
