"""More than any buffer holds, in one write and in many."""

import sys

sys.stdout.write("x" * 300_000 + "\n")
for number in range(3000):
    print(number)
