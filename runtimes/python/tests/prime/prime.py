"""A priming script that is as untidy as it can be: nothing of it may show in a run."""

import atexit
import contextvars
import decimal
import os
import random
import sys
import tempfile
import types

sys.modules["left_behind"] = types.ModuleType("left_behind")
sys.argv.append("left behind")
sys.path.insert(0, "/left/behind")
os.environ["LEFT_BEHIND"] = "1"
os.chdir("/tmp")
atexit.register(print, "left behind")
decimal.getcontext().prec = 3
random.seed(1)
contextvars.ContextVar("left_behind").set(True)
tempfile.NamedTemporaryFile(prefix="left_behind", delete=False)
sys.stdout = sys.stderr = None
