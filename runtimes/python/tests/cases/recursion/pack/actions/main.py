"""Endless recursion is an exception that can be caught."""


def again():
    again()


try:
    again()
except RecursionError as error:
    print(error)
