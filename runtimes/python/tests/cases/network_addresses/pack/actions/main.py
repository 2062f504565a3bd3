"""Names stay names, as only the host resolves them; contexts are those of the library."""

import errno
import select
import selectors
import socket
import ssl

print(socket.getaddrinfo("example.com", 443))
print(socket.getaddrinfo("example.com", "http", socket.AF_INET6))
print(socket.getaddrinfo("::1", 80), socket.getaddrinfo(b"bytes.example", None)[0][4])
print(socket.getaddrinfo("bücher.example", 80)[0][4][0], socket.gethostbyname("example.com"))
for arguments in (("::1", 80, socket.AF_INET), ("a b", 80), ("x", "no-port"), ("x" * 300, 80)):
    try:
        print(socket.getaddrinfo(*arguments))
    except socket.gaierror as error:
        print(error)

sock = socket.socket(socket.AF_INET6)
print(sock.family.name, sock.type.name, sock.getsockname(), sock.fileno() > 999_999)
print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM)
number = sock.detach()
again = socket.socket(fileno=number)
print(sock.fileno(), again.fileno() == number)
try:
    again.getpeername()
except OSError as error:
    print(errno.errorcode[error.errno])

context = ssl.create_default_context()
print(context.verify_mode.name, context.check_hostname, context.minimum_version.name)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.check_hostname = True
print(context.verify_mode.name, ssl.create_default_context().options & ssl.OP_NO_SSLv3 != 0)
print(ssl.Purpose.SERVER_AUTH.shortname, ssl.HAS_SNI, ssl.SSLError.__module__)
print(hasattr(select, "poll"), selectors.DefaultSelector().select(0))
print(select.select([], [again], [], 0) == ([], [again], []))
