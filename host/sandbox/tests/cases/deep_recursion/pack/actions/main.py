"""Endless recursion of Python functions is an exception."""


def again():
    again()


again()
