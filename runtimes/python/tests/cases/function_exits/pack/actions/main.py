"""sys.exit ends a function action as it ends a script."""

import sys


def run(params):
    sys.exit(3)
