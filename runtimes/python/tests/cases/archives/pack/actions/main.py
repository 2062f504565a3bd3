"""zip, tar and gzip, in memory and in the scratch space."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

source = Path("/tmp/source.txt")
source.write_text("content " * 1000)
with zipfile.ZipFile("/tmp/a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.write(source, "source.txt")
print(zipfile.ZipFile("/tmp/a.zip").read("source.txt") == source.read_bytes())
with tarfile.open("/tmp/a.tar.gz", "w:gz") as archive:
    archive.add(source, "source.txt")
with tarfile.open("/tmp/a.tar.gz") as archive:
    archive.extractall("/tmp/out", filter="data")
print(Path("/tmp/out/source.txt").read_text() == source.read_text())
print(gzip.decompress(gzip.compress(b"gzip")), io.BytesIO(b"x").read())
