"""The entry point names a function that the file has not got."""


def run(params):
    return None
