"""What runs natively: shell actions made by API, and packs of programs."""

import json
import textwrap
from dataclasses import dataclass, field
from typing import Any

from support.api import Api, Json, data
from support.packs import PACKS, archive_files, unique
from support.runs import begun

# Where a native run finds its pack, and the only address that it can connect to.
PACK_FOLDER = "/pack"
DOOR = "http://127.0.0.1:3128"

SUFFIXES = {"shell": ".sh", "python": ".py", "node": ".js", "native": ""}


class Shell:
    """A pack of ad-hoc shell actions; without files, unless it is one that has some."""

    def __init__(self, api: Api, pack: str | None = None) -> None:
        self.api = api
        self.pack = pack or unique("shell")
        if pack is None:
            body = {"ref": self.pack, "label": self.pack, "version": "1.0.0"}
            data(api.post("/api/v1/packs", body), 201)

    def action(self, script: str, runtime_ref: str = "core.shell", **fields: Any) -> str:
        """Makes an action of this script; its ref."""
        ref = f"{self.pack}.{unique('run')}"
        body = {"ref": ref, "pack_ref": self.pack, "label": ref, "entrypoint": script}
        data(self.api.post("/api/v1/actions", {**body, "runtime_ref": runtime_ref, **fields}), 201)
        return ref

    def run(self, script: str, parameters: Any = None, **fields: Any) -> Json:
        """Runs a script to its end; the execution."""
        return self.api.run(self.action(script), parameters, **fields)

    def says(self, script: str, parameters: Any = None, **fields: Any) -> str:
        """What a script that has to complete writes to stdout."""
        result = self.api.result(self.action(script), parameters, **fields)
        return str(result.get("stdout", ""))

    def begun(self, script: str, **parameters: Any) -> int:
        """Starts a script that says when it has begun; its execution once it did."""
        pack, _, name = self.action(script).partition(".")
        return begun(self.api, name, pack, **parameters)


@dataclass(frozen=True)
class Program:
    """An action of a pack: by whom it is read, its source, and what its manifest says more."""

    runner_type: str
    source: str | bytes
    manifest: Json = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.source, bytes):
            return self.source
        return textwrap.dedent(self.source).lstrip().encode()


def shell(source: str, **manifest: Any) -> Program:
    return Program("shell", source, manifest)


def python(source: str, **manifest: Any) -> Program:
    return Program("python", source, {"runner": "native", **manifest})


def node(source: str, **manifest: Any) -> Program:
    return Program("node", source, manifest)


def native(source: str | bytes, **manifest: Any) -> Program:
    return Program("native", source, manifest)


def hostile(name: str, **manifest: Any) -> Program:
    """A Python program of `tests/packs/hostile`."""
    return python((PACKS / "hostile" / f"{name}.py").read_text(), **manifest)


def native_files(ref: str, programs: dict[str, Program]) -> dict[str, bytes]:
    """The files of a pack of these programs, by the names of their actions."""
    files = {"pack.yaml": f"ref: {ref}\nversion: 1.0.0\n".encode()}
    for name, program in programs.items():
        entry_point = name + SUFFIXES[program.runner_type]
        manifest = {
            "ref": f"{ref}.{name}",
            "runner_type": program.runner_type,
            "entry_point": entry_point,
            **program.manifest,
        }
        # JSON is YAML.
        files[f"actions/{name}.yaml"] = json.dumps(manifest).encode()
        files[f"actions/{entry_point}"] = program.content
    return files


def native_pack(
    ref: str, programs: dict[str, Program], files: dict[str, bytes] | None = None
) -> bytes:
    """The archive of such a pack, with more files. Native programs are executable."""
    executable = {
        f"actions/{name}" for name, program in programs.items() if program.runner_type == "native"
    }
    return archive_files({**native_files(ref, programs), **(files or {})}, executable=executable)


class Programs:
    """A pack of programs, installed."""

    def __init__(
        self, api: Api, files: dict[str, bytes] | None = None, /, **programs: Program
    ) -> None:
        self.api = api
        self.ref = unique("native")
        data(api.upload(native_pack(self.ref, programs, files)), 201)

    def run(self, name: str, parameters: Any = None, **fields: Any) -> Json:
        """Runs a program to its end; the execution."""
        return self.api.run(f"{self.ref}.{name}", parameters, **fields)

    def result(self, name: str, parameters: Any = None, **fields: Any) -> Json:
        """The result of a program that has to complete."""
        return self.api.result(f"{self.ref}.{name}", parameters, **fields)

    def says(self, name: str, parameters: Any = None, **fields: Any) -> str:
        """What a program that has to complete writes to stdout."""
        return str(self.result(name, parameters, **fields).get("stdout", ""))

    def data(self, name: str, parameters: Any = None, **fields: Any) -> Any:
        """What a program that has to complete prints as JSON."""
        return self.result(name, parameters, **fields)["data"]

    def begun(self, name: str, **parameters: Any) -> int:
        """Starts a program that says when it has begun; its execution once it did."""
        return begun(self.api, name, self.ref, **parameters)
