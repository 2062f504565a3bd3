"""An exception is a failure with a traceback of the user's code."""


async def run(params, context):
    raise LookupError("no such thing")
