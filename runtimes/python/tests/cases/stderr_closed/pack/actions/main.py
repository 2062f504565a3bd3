"""An action that closed its streams still ends with its own exit code."""

import sys

sys.stdout.close()
sys.stderr.close()
sys.exit("nobody hears this")
