"""Packs for the tests: folders of `tests/packs`, and small ones made on the spot."""

import gzip
import io
import tarfile
import uuid
from collections.abc import Collection
from pathlib import Path

from support.api import Api, data

PACKS = Path(__file__).resolve().parents[1] / "packs"

ECHO = "import sys\nprint(sys.stdin.read(), end='')\n"


def unique(stem: str = "pack") -> str:
    """A ref that no other test uses."""
    return f"{stem}_{uuid.uuid4().hex[:10]}"


def archive_folder(folder: Path, below: str = ".") -> bytes:
    """The gzip tar that a client would make of a folder; `below` is the root inside."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    return archive_files(files, below)


def archive_files(
    files: dict[str, bytes], below: str = ".", executable: Collection[str] = ()
) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{below}/{name}")
            member.size = len(content)
            member.mode = 0o755 if name in executable else 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), compresslevel=1)


def pack_files(ref: str, version: str = "1.0.0", **actions: str) -> dict[str, bytes]:
    """The files of a pack whose Python actions are given by name and source."""
    files = {"pack.yaml": f"ref: {ref}\nlabel: {ref}\nversion: {version}\n"}
    for name, source in actions.items():
        files[f"actions/{name}.yaml"] = (
            f"ref: {ref}.{name}\nlabel: {name}\nrunner_type: python\n"
            f"entry_point: {name}.py\noutput_format: json\n"
        )
        files[f"actions/{name}.py"] = source
    return {name: text.encode() for name, text in files.items()}


def small_pack(ref: str, version: str = "1.0.0", **actions: str) -> bytes:
    """The archive of such a pack; one action, `echo`, when none is given."""
    return archive_files(pack_files(ref, version, **(actions or {"echo": ECHO})))


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """The files as a folder on disk."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def install_behaviour(api: Api) -> None:
    """Install `tests/packs/behaviour`, the pack of small actions that do one thing each."""
    data(api.upload(archive_folder(PACKS / "behaviour")), 201)
