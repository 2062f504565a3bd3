"""Divides two numbers.

An exit code other than 0 fails the execution, and a short text on stderr
becomes its error. An exception that nobody catches does the same with exit
code 1 and a traceback, of which the last line is the error.
"""

import json
import sys

params = json.load(sys.stdin)
try:
    quotient = params["dividend"] / params["divisor"]
except ZeroDivisionError:
    sys.exit("the divisor is 0; choose another one")
print(json.dumps({"quotient": quotient}))
