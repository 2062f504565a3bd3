"""What clients are used for, in terms of `adapters.Adapter.fetch`. Each returns what came of it."""

import hashlib
import json


def take(client, name, url):
    """Take one step; an error is told as its classes, from the outermost, and their texts."""
    try:
        return globals()[name](client.fetch, url)
    except Exception as error:
        return {"error": list(_chain(error))}


def _chain(error):
    seen = []
    queue = [error]
    while queue:
        error = queue.pop(0)
        if not isinstance(error, BaseException) or any(error is known for known in seen):
            continue
        seen.append(error)
        yield f"{type(error).__module__}.{type(error).__qualname__}: {error}"
        queue += [getattr(error, "reason", None), error.__cause__, error.__context__, *error.args]


def _echoed(answer):
    return json.loads(answer.body)


def get(fetch, url):
    answer = fetch("GET", f"{url}/echo?a=1&b=%20", headers={"X-Sent": "yes"})
    echo = _echoed(answer)
    return [answer.status, echo["path"], echo["headers"]["x-sent"], echo["headers"]["host"]]


def methods(fetch, url):
    answers = [fetch(method, f"{url}/echo") for method in ("PUT", "PATCH", "DELETE", "HEAD")]
    return [[answer.status, answer.headers["x-method"]] for answer in answers]


def post(fetch, url):
    echo = _echoed(fetch("POST", f"{url}/echo", body=b'{"a": 1}'))
    return [echo["method"], echo["body"], echo["headers"]["content-length"]]


def chunked(fetch, url):
    echo = _echoed(fetch("POST", f"{url}/echo", chunks=[b"x" * 10_000] * 20))
    return [echo["length"], echo["headers"].get("transfer-encoding")]


def large(fetch, url):
    answer = fetch("GET", f"{url}/bytes?count=5242880")
    echo = _echoed(fetch("POST", f"{url}/echo", body=bytes(5_000_000)))
    return [len(answer.body), hashlib.sha256(answer.body).hexdigest(), echo["length"]]


def stream(fetch, url):
    return fetch("GET", f"{url}/chunks?count=3&pause=0.05", stream=True).body.decode().split("\n")


def redirect(fetch, url):
    return _echoed(fetch("GET", f"{url}/redirect"))


def packed(fetch, url):
    return _echoed(fetch("GET", f"{url}/gzip"))


def basic(fetch, url):
    return _echoed(fetch("GET", f"{url}/basic", user=("user", "secret")))


def bodiless(fetch, url):
    return [fetch("GET", f"{url}/status/{status}").status for status in (204, 304)]


def until_close(fetch, url):
    return fetch("GET", f"{url}/until_close").body.decode()


def early(fetch, url):
    return fetch("POST", f"{url}/early", body=bytes(3_000_000)).status


def slow(fetch, url):
    fetch("GET", f"{url}/slow?seconds=3", timeout=0.3)


def silent(fetch, url):
    fetch("GET", f"{url}/silent", timeout=0.3)


def cut(fetch, url):
    fetch("GET", f"{url}/cut")


def cut_chunk(fetch, url):
    fetch("GET", f"{url}/cutchunk")


def hang_up(fetch, url):
    fetch("GET", f"{url}/hangup")


def reach(fetch, url):
    return fetch("GET", f"{url}/status/200").status


def reach_unverified(fetch, url):
    return fetch("GET", f"{url}/status/200", verify=False).status


def through_proxy(fetch, url):
    return fetch("GET", "http://no-such-name.invalid/", proxy=url).status
