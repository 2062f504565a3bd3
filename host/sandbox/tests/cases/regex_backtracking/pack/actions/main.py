"""One call into C code that takes longer than the universe has existed."""

import re

re.match(r"(a+)+$", "a" * 40 + "b")
