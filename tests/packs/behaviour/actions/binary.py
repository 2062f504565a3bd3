"""Write bytes that are no UTF-8."""

import sys

sys.stdout.buffer.write(b"before \xff\xfe\x00 after")
