"""A function may take the parameters alone."""


def run(params):
    return list(params)
