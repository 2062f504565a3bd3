"""A loop that never ends uses up its fuel long before its time."""

print("begun")
while True:
    pass
