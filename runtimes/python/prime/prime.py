"""What the host runs on a spare instance, before it sees any user code.

It takes the paths that most actions take, of either contract, so that their
memory is resident: reading JSON from stdin, printing JSON, formatting, looking
at a function. It keeps nothing.
"""

import inspect
import json
import os
import sys


def greet(params, context):
    return {"text": f"hello {params['name']}", "list": params["list"], "id": context}


params = json.loads(sys.stdin.read() or '{"name": "prime", "list": [1, 2.5, null, true]}')
if len(inspect.signature(greet).parameters) == 2:
    result = greet(params, os.environ.get("ATTUNE_EXEC_ID"))
    print(json.dumps(result), len(json.dumps(result, ensure_ascii=False, allow_nan=False)))
