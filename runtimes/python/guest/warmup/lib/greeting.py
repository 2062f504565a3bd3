"""A module of the pack, for the path that imports one."""


def greet(name: str) -> str:
    return f"hello {name}"
