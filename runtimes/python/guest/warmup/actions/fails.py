"""An action that fails, for the path that prints tracebacks."""


def fail():
    raise ValueError("x")


fail()
