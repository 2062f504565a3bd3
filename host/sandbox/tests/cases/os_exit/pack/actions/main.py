"""os._exit ends the interpreter and nothing else; WASI knows no codes but 0 and 1."""

import os

print("begun", flush=True)
os._exit(3)
