"""open(0) reads the standard input."""

with open(0, encoding="utf-8", closefd=False) as stream:
    print(stream.read().upper(), end="")
