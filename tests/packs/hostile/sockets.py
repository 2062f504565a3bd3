"""Every way out that sockets could be; what each ends with."""

import json
import socket
import sys

given = json.load(sys.stdin)
KINDS = {
    "raw": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "raw 6": (socket.AF_INET6, socket.SOCK_RAW, 58),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
    "packet datagrams": (socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300),
    "ping": (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
    "vsock": (socket.AF_VSOCK, socket.SOCK_STREAM, 0),
    "crypto": (socket.AF_ALG, socket.SOCK_SEQPACKET, 0),
    "bluetooth": (31, socket.SOCK_RAW, 1),
    "can": (socket.AF_CAN, socket.SOCK_RAW, 1),
    "kernel": (40, socket.SOCK_RAW, 0),
    "xdp": (44, socket.SOCK_RAW, 0),
}


def tried(what, *arguments):
    try:
        return what(*arguments) or "done"
    except OSError as problem:
        return f"refused: {problem.strerror or problem}"


def make(family, kind, protocol):
    socket.socket(family, kind, protocol).close()


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def connect(host, port):
    with socket.socket(family(host), socket.SOCK_STREAM) as stream:
        stream.settimeout(2)
        stream.connect((host, port))


def send(host, port):
    with socket.socket(family(host), socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(0.5)
        datagrams.sendto(b"from a guest", (host, port))
        return datagrams.recv(100).decode()


def connect_unix(name):
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(2)
        stream.connect(name)


def to_itself():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connect(*listener.getsockname())


def resolve(name):
    return str(socket.getaddrinfo(name, 80))


answer = {
    "kinds": {name: tried(make, *kind) for name, kind in KINDS.items()},
    "tcp": {f"{host} {port}": tried(connect, host, port) for host, port in given["tcp"]},
    "udp": {f"{host} {port}": tried(send, host, port) for host, port in given["udp"]},
    "unix": {name: tried(connect_unix, name) for name in given["unix"]},
    "abstract": {name: tried(connect_unix, "\0" + name) for name in given["abstract"]},
    "names": {name: tried(resolve, name) for name in given["names"]},
    "itself": tried(to_itself),
    "door": tried(connect, "127.0.0.1", 3128),
    "interfaces": [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line],
    "routes": open("/proc/net/route").read(),
}
print(json.dumps(answer))
