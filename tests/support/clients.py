"""The pack of HTTP clients: `packs/clients`, with the clients themselves in its `lib` folder."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from support.packs import PACKS, archive_files
from support.server import ROOT

PINS = ROOT / "tests" / "clients.txt"
WHEELS = ROOT / "target" / "test-wheels"

# Wheels without compiled parts, whatever this machine is.
ANYWHERE = "--python-version 3.14 --platform any --implementation py --abi none".split()


def clients_pack() -> bytes:
    """The archive of the pack."""
    folder = PACKS / "clients"
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    return archive_files(files | {f"lib/{name}": data for name, data in _libraries().items()})


def _libraries() -> dict[str, bytes]:
    files = {}
    for wheel in sorted(_downloaded().glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith((".py", ".pem", "METADATA")):
                    files[name] = archive.read(name)
    return files


def _downloaded() -> Path:
    """The wheels that are pinned, downloaded once."""
    folder = WHEELS / hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]
    done = folder / "complete"
    if not done.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", *ANYWHERE]
        command += ["--require-hashes", "--requirement", str(PINS), "--dest", str(folder)]
        subprocess.run(command, check=True)
        done.touch()
    return folder
