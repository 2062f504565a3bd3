"""UTF-8 everywhere, with the error handlers of CPython."""

import sys

for stream in (sys.stdin, sys.stdout, sys.stderr):
    print(stream.name, stream.mode, stream.encoding, stream.errors, stream.isatty())
print("\udcff", file=sys.stderr)
try:
    print("\udcff")
except UnicodeEncodeError as error:
    print(type(error).__name__)
