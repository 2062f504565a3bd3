"""input(), iteration and readline read the same stream."""

import sys

print("first:", input("? "))
print("second:", sys.stdin.readline().rstrip())
for line in sys.stdin:
    print("then:", line.rstrip())
try:
    input()
except EOFError:
    print("end of file")
