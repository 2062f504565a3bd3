"""Certificates of an authority of the test's own."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

NEW_KEY = ("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-batch")


@dataclass
class Authority:
    """An authority, which signs what it is asked to."""

    folder: Path
    name: str = "authority"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        subject = ("-x509", "-subj", f"/CN={self.name}")
        _run(*NEW_KEY, *subject, "-keyout", self._key, "-out", self.certificate)

    @property
    def certificate(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def _key(self) -> Path:
        return self.folder / "authority.key"

    def sign(self, name: str) -> Path:
        """A file with a new key and its certificate, for `DNS:…` or `IP:…`."""
        stem = self.folder / name.replace(":", "_")
        request, key, signed = (stem.with_suffix(suffix) for suffix in (".csr", ".key", ".crt"))
        subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={name}")
        _run(*NEW_KEY, *subject, "-keyout", key, "-out", request)
        ours = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial")
        copied = ("-copy_extensions", "copy")
        _run("openssl", "x509", "-req", "-in", request, *copied, *ours, "-out", signed)
        both = stem.with_suffix(".pem")
        both.write_bytes(key.read_bytes() + signed.read_bytes())
        return both


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
