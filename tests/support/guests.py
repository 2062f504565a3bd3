"""Actions of `tests/packs/network`, with whatever permissions a test gives them."""

import json
from typing import Any

from support.api import Api, Json, data
from support.packs import PACKS, archive_files, pack_files, unique
from support.peer import ALLOWED

# Everything that a manifest can allow.
ANYTHING = [{"host": "*", "ports": "*", "insecure_tls": True}]
HERE = [{"host": ALLOWED, "ports": "*"}]


class Guest:
    """One pack of these actions, installed."""

    def __init__(self, api: Api, http: Any = None, **manifest: Any) -> None:
        self.api = api
        self.ref = unique("network")
        data(api.upload(network_pack(self.ref, http, **manifest)), 201)

    def fetch(self, url: str, **parameters: Any) -> Json:
        answer: Json = self.run("fetch", url=url, **parameters)
        return answer

    def run(self, action: str, **parameters: Any) -> Any:
        """Run an action to its end; return what it printed."""
        result = self.api.result(f"{self.ref}.{action}", parameters)
        assert "data" in result, result
        return result["data"]

    def submit(self, action: str, **parameters: Any) -> int:
        number: int = self.api.submit(f"{self.ref}.{action}", parameters)["id"]
        return number


def network_pack(ref: str, http: Any = None, **manifest: Any) -> bytes:
    """`http` is what stands below `permissions`; without it there are none at all. More keys of
    the actions' manifests may be given."""
    folder = PACKS / "network" / "actions"
    sources = {path.stem: path.read_text() for path in folder.glob("*.py")}
    files = pack_files(ref, **sources)
    if http is not None:
        manifest["permissions"] = {"http": http}
    for name in sources:
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in manifest.items()]
        files[f"actions/{name}.yaml"] += "".join(lines).encode()
    return archive_files(files)


def failed(answer: Json) -> str:
    """What went wrong with an exchange that must not have succeeded."""
    assert "error" in answer, answer
    return f"{answer['error']}: {answer['text']}"


def denied(answer: Json, *words: str) -> str:
    """The text of a denial, in which these words have to stand."""
    text = failed(answer)
    assert "denied" in text, text
    for word in words:
        assert word in text, text
    return text
