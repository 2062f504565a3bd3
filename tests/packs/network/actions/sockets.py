"""What raw sockets can be used for; each attempt answers with what happened."""

import _socket
import importlib.machinery
import json
import sys

params = json.load(sys.stdin)
where = (params["host"], params["port"])
STREAM, DATAGRAM = _socket.SOCK_STREAM, _socket.SOCK_DGRAM


def original():
    """The interpreter's own module, as it was before anybody replaced something in it."""
    del sys.modules["_socket"]
    spec = importlib.machinery.BuiltinImporter.find_spec("_socket")
    module = importlib.machinery.BuiltinImporter.create_module(spec)
    importlib.machinery.BuiltinImporter.exec_module(module)
    return module


def connect(module):
    module.socket(_socket.AF_INET, STREAM).connect(where)
    return "connected"


def connect_ex(module):
    if code := module.socket(_socket.AF_INET, STREAM).connect_ex(where):
        raise OSError(code, "connect_ex")
    return "connected"


def listen(module):
    listener = module.socket(_socket.AF_INET, STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return str(listener.getsockname())


def bind(module):
    module.socket(_socket.AF_INET, STREAM).bind(("127.0.0.1", params["port"] ^ 1))
    return "bound"


def datagram(module):
    return str(module.socket(_socket.AF_INET, DATAGRAM).sendto(b"anybody?", where))


def datagram_6(module):
    sender = module.socket(_socket.AF_INET6, DATAGRAM)
    return str(sender.sendto(b"anybody?", ("::1", params["port"], 0, 0)))


def unix(module):
    module.socket(_socket.AF_UNIX, STREAM).connect("/tmp/x")
    return "connected"


def raw_ip(module):
    return str(module.socket(_socket.AF_INET, _socket.SOCK_RAW, 1))


def attempt(do, module):
    try:
        return do(module)
    except BaseException as error:
        return f"refused: {type(error).__name__}: {error}"


def look_up(module):
    return str(attempt(lambda module: module.getaddrinfo(params["name"], 80), module))


module = original() if params.get("original") else _socket
attempts = (connect, connect_ex, listen, bind, datagram, datagram_6, unix, raw_ip)
answer = {do.__name__: attempt(do, module) for do in attempts}
look_up(module)
print(json.dumps(answer))
