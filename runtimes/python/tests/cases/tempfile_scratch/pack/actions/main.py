"""tempfile works in the scratch space."""

import os
import tempfile
from pathlib import Path

print(tempfile.gettempdir(), Path.home())
with tempfile.TemporaryDirectory() as directory:
    path = Path(directory, "deep", "er", "file.txt")
    path.parent.mkdir(parents=True)
    path.write_text("text")
    print(path.read_text(), directory.startswith("/tmp/"))
print(os.path.exists(directory))
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("named")
    file.seek(0)
    print(file.read())
with tempfile.TemporaryFile() as file:
    print(file.write(b"unnamed"))
print(os.listdir("/tmp"))
