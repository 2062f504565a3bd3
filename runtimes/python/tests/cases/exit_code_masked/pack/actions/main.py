"""An exit code has eight bits."""

import sys

sys.exit(300)
