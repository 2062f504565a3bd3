"""A virtual environment that holds exactly what a requirements file pins by hash."""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path


def ensure(directory: Path, requirements: Path) -> Path:
    """Make the environment unless it is up to date; return its Python."""
    python = directory / "bin" / "python"
    stamp = directory / "requirements.sha256"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == digest:
        return python
    print(f"venv: installing {requirements.name} into {directory}", flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    venv.create(directory, with_pip=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([python, *install, "--require-hashes", "-r", requirements], check=True)
    stamp.write_text(digest)
    return python
