"""Nothing of the build, nor of the priming run, is left in the interpreter."""

import contextvars
import decimal
import logging
import os
import posix
import sys
import tempfile
import time
import uuid

print(dict(os.environ), posix.environ)
print([name for name in sys.modules if "left" in name or "warm" in name or "greeting" in name])
print(sys.argv, sys.path, os.getcwd(), os.listdir("/tmp"))
print(len(contextvars.copy_context()) <= 1, decimal.getcontext().prec, uuid._node)
print(tempfile.tempdir, tempfile._name_sequence)
print(abs(logging._startTime / 1e9 - time.time()) < 60)
