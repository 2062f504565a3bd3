"""The traceback of an uncaught exception shows the user's code and nothing else."""

from broken import divide


def calculate():
    return divide(1, 0)


try:
    calculate()
except ZeroDivisionError as error:
    raise RuntimeError("no result") from error
