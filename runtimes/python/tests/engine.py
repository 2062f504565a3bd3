"""The guest in an engine, as far as a self-test needs one.

Not the product's host: no limits, no fuel, no pool. Standard streams are files, and a
pack is put in place by copying it into the directory that `/pack` names, which is how a
primed instance can be given another pack here.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import Component, Linker


def load(wasm: Path, cache: Path) -> tuple[Component, Linker]:
    """Compile the component, or take what an earlier call compiled."""
    config = Config()
    config.wasm_component_model = True
    config.cranelift_opt_level = "speed"
    engine = Engine(config)
    content = wasm.read_bytes()
    compiled = cache / f"{hashlib.sha256(content).hexdigest()[:16]}.cwasm"
    if compiled.exists():
        component = Component.deserialize_file(engine, str(compiled))
    else:
        print("compiling python.wasm (5 to 15 s)", flush=True)
        component = Component(engine, content)
        for outdated in cache.glob("*.cwasm"):
            outdated.unlink()
        compiled.write_bytes(component.serialize())
    linker = Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    return component, linker


class Instance:
    """One fresh instance of the guest, with directories and streams of its own."""

    def __init__(self, component: Component, linker: Linker, work: Path, stdin: bytes) -> None:
        self.pack = _empty_directory(work / "pack")
        self.scratch = _empty_directory(work / "scratch")
        self.stdout = work / "stdout"
        self.stderr = work / "stderr"
        (work / "stdin").write_bytes(stdin)
        wasi = WasiConfig()
        wasi.stdin_file = str(work / "stdin")
        wasi.stdout_file = str(self.stdout)
        wasi.stderr_file = str(self.stderr)
        wasi.preopen_dir(str(self.pack), "/pack", False)
        wasi.preopen_dir(str(self.scratch), "/tmp", True)
        self._store = Store(linker.engine)
        self._store.set_wasi(wasi)
        self._store.set_wasi_http()
        self._instance = linker.instantiate(self._store, component)

    def use_pack(self, source: Path) -> None:
        """Give the instance another pack and an empty scratch directory."""
        _empty_directory(self.scratch)
        shutil.copytree(source, _empty_directory(self.pack), dirs_exist_ok=True)

    def compile(self, entry: str) -> bytes:
        return self._call("compile", entry)

    def run(self, request: str, code: bytes) -> str:
        return self._call("run", request, code)

    def prime(self, request: str) -> str:
        return self._call("prime", request, b"")

    def _call(self, export: str, *arguments: str | bytes) -> Any:
        function = self._instance.get_func(self._store, export)
        assert function is not None, f"the component exports no {export}"
        return function(self._store, *arguments)


def _empty_directory(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for entry in path.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return path
