"""Functions for the golden envelopes of the function contract."""


def echo(params, context):
    return {"params": params, "context": context}


def nothing(params, context):
    print("stdout is only a log")


def fail(params, context):
    raise ValueError("as expected")


def not_json(params, context):
    return {1, 2, 3}
