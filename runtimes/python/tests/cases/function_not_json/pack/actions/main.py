"""What is not JSON is refused, with the name of its type."""

import datetime


def run(params):
    return {"at": datetime.date(2026, 1, 1)}
