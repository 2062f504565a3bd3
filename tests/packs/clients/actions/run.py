"""Takes one client through the steps that it is asked for: {"client", "steps": [[name, url]]}."""

import json
import sys

import steps
from adapters import adapter

parameters = json.load(sys.stdin)
client = adapter(parameters["client"])
print(json.dumps({name: steps.take(client, name, url) for name, url in parameters["steps"]}))
