"""Use the pack's own module and data file."""

import json
from pathlib import Path

from phrases.greeting import greet

names = Path("data/names.txt").read_text(encoding="utf-8").split()
print(json.dumps([greet(name) for name in names]))
