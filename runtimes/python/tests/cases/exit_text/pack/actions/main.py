"""sys.exit with a text prints it on stderr and fails."""

import sys

sys.exit("the reason")
