"""All of the library that can be had can be imported. PRESENT and ABSENT list the modules."""

import importlib
from pathlib import Path


def imports(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


for name in ("present", "absent"):
    modules = Path(f"data/{name}.txt").read_text().split()
    print(name, len(modules), [m for m in modules if imports(m) != (name == "present")])
