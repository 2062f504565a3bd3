"""A list that grows until memory ends: MemoryError inside, the limit outside."""

chunks = []
while True:
    chunks.append(bytearray(1 << 20))
