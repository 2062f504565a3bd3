"""What the host runs on a spare instance, before it sees any user code.

It takes the path that most actions take, so that their memory is resident:
reading JSON from stdin, formatting, printing JSON. It keeps nothing.
"""

import json
import sys

params = json.loads(sys.stdin.read() or '{"name": "prime", "list": [1, 2.5, null, true]}')
print(json.dumps({"text": f"hello {params['name']}", "list": params["list"]}))
