"""Say that it has begun, then compute for ever."""

print("begun", flush=True)
while True:
    pass
