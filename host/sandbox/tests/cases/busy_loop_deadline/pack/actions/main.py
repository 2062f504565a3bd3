"""A loop that never ends meets the wall clock; what it printed before is kept."""

print("begun")
while True:
    pass
