"""What the compiler refuses is shown without a traceback."""

print("never printed")
return
