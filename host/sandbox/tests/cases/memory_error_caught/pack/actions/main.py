"""A script may live with the refusal: then it has not failed."""

try:
    bytearray(1 << 30)
except MemoryError:
    print("refused")
