"""One way to speak to each client. A run imports the one that it needs: that takes long."""

import asyncio
import http.client
import http.cookiejar
import ssl
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from gzip import decompress


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def _unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _with_user(headers, user):
    if user:
        token = b64encode(":".join(user).encode()).decode()
        headers = headers | {"Authorization": f"Basic {token}"}
    return headers


def _unpacked(headers, body):
    return decompress(body) if headers.get("content-encoding") == "gzip" else body


class Urllib:
    def __init__(self):
        self.cookies = http.cookiejar.CookieJar()

    def fetch(self, method, url, headers=None, body=None, chunks=None, timeout=10, **options):
        handlers = [urllib.request.HTTPCookieProcessor(self.cookies)]
        if options.get("verify") is False:
            handlers.append(urllib.request.HTTPSHandler(context=_unverified()))
        if proxy := options.get("proxy"):
            handlers.append(urllib.request.ProxyHandler({"http": proxy}))
        headers = _with_user(headers or {}, options.get("user"))
        data = iter(chunks) if chunks else body
        request = urllib.request.Request(url, data, headers, method=method)
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(request, timeout=timeout) as response:
                return self._answer(response, response.read())
        except urllib.error.HTTPError as error:
            return self._answer(error, b"")

    def _answer(self, response, body):
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, _unpacked(headers, body))


class HttpClient:
    """One connection for everything, as long as it lasts."""

    def __init__(self):
        self.connections = {}

    def fetch(self, method, url, headers=None, body=None, chunks=None, timeout=10, **options):
        parts = urllib.parse.urlsplit(url)
        key = (parts.scheme, parts.netloc, timeout, str(options.get("verify")))
        if key not in self.connections:
            self.connections[key] = self._connection(parts, timeout, options)
        connection = self.connections[key]
        headers = _with_user(headers or {}, options.get("user"))
        target = url if options.get("proxy") else url.partition(parts.netloc)[2]
        try:
            connection.request(method, target, iter(chunks) if chunks else body, headers)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            data = _unpacked(told, response.read())
        except BaseException:
            del self.connections[key]
            raise
        if response.status == 302:
            cookie = {"Cookie": told["set-cookie"].partition(";")[0]}
            return self.fetch("GET", urllib.parse.urljoin(url, told["location"]), cookie)
        return Answer(response.status, told, data)

    def _connection(self, parts, timeout, options):
        if proxy := options.get("proxy"):
            return http.client.HTTPConnection(proxy.partition("://")[2], timeout=timeout)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.netloc, timeout=timeout)
        context = _unverified() if options.get("verify") is False else None
        return http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)


class Urllib3:
    def __init__(self):
        global urllib3
        import urllib3

    def fetch(self, method, url, headers=None, body=None, chunks=None, timeout=10, **options):
        urllib3.disable_warnings()
        verify = "CERT_NONE" if options.get("verify") is False else "CERT_REQUIRED"
        if proxy := options.get("proxy"):
            pool = urllib3.ProxyManager(proxy)
        else:
            pool = urllib3.PoolManager(cert_reqs=verify)
        headers = _with_user(headers or {}, options.get("user"))
        data = iter(chunks) if chunks else body
        choices = {"headers": headers, "body": data, "timeout": timeout, "retries": False}
        response = pool.request(method, url, **choices)
        if response.status == 302:
            cookie = {"Cookie": response.headers["set-cookie"].partition(";")[0]}
            return self.fetch(
                "GET", urllib.parse.urljoin(url, response.headers["location"]), cookie
            )
        told = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, told, response.data)


class Requests:
    def __init__(self):
        global requests, urllib3
        import requests
        import urllib3

        self.session = requests.Session()

    def fetch(self, method, url, headers=None, body=None, chunks=None, timeout=10, **options):
        urllib3.disable_warnings()
        response = self.session.request(
            method,
            url,
            headers=headers,
            data=iter(chunks) if chunks else body,
            auth=options.get("user"),
            timeout=timeout,
            stream=options.get("stream", False),
            verify=options.get("verify", True),
            proxies={"http": options["proxy"]} if options.get("proxy") else None,
        )
        if options.get("stream"):
            return Answer(response.status_code, {}, b"\n".join(response.iter_lines()) + b"\n")
        told = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, told, response.content)


def _httpx_options(headers, body, chunks, options):
    chosen = {"headers": headers, "content": chunks or body}
    if options.get("user"):
        chosen["auth"] = options["user"]
    return chosen


class Httpx:
    def __init__(self):
        global httpx
        import httpx

        self.clients = {}

    def fetch(self, method, url, headers=None, body=None, chunks=None, timeout=10, **options):
        settings = {"verify": options.get("verify", True), "proxy": options.get("proxy")}
        key = str(settings)
        if key not in self.clients:
            self.clients[key] = httpx.Client(follow_redirects=True, **settings)
        chosen = _httpx_options(headers, body, iter(chunks) if chunks else None, options)
        with self.clients[key].stream(method, url, timeout=timeout, **chosen) as response:
            data = b"".join(response.iter_bytes())
        return Answer(response.status_code, dict(response.headers), data)


class HttpxAsync:
    """Over anyio, which runs over asyncio."""

    def __init__(self):
        global httpx
        import httpx

    def fetch(self, *args, **options):
        return asyncio.run(self._fetch(*args, **options))

    async def _fetch(
        self, method, url, headers=None, body=None, chunks=None, timeout=10, **options
    ):
        async def pieces():
            for chunk in chunks:
                yield chunk

        chosen = _httpx_options(headers, body, pieces() if chunks else None, options)
        settings = {"verify": options.get("verify", True), "proxy": options.get("proxy")}
        async with httpx.AsyncClient(follow_redirects=True, **settings) as client:
            async with client.stream(method, url, timeout=timeout, **chosen) as response:
                data = b"".join([piece async for piece in response.aiter_bytes()])
        return Answer(response.status_code, dict(response.headers), data)


def adapter(name):
    return _ADAPTERS[name]()


_ADAPTERS = {
    "urllib": Urllib,
    "http.client": HttpClient,
    "urllib3": Urllib3,
    "requests": Requests,
    "httpx": Httpx,
    "httpx-async": HttpxAsync,
}
