"""The rest of the standard library, kept in the snapshot as compressed code.

The file system of the build is gone when a snapshot is taken, so what has not
been imported by then could never be imported.
"""

import importlib.abc
import importlib.machinery
import marshal
import os
import sys
import types
import zlib
from collections.abc import Sequence

ROOT = "/python"

# Tests, tools for a desktop, and what only works with a terminal or a file system of its own.
_SKIPPED = frozenset(
    """
    __hello__ __phello__ antigravity config-3.14 config-3.14-wasm32-wasi curses ensurepip idlelib
    lib-dynload pydoc_data site-packages test tests this tkinter turtle turtledemo venv webbrowser
    """.split()
)


class EmbeddedLibrary(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the modules of `table`: name -> (is a package, compressed code)."""

    def __init__(self, table: dict[str, tuple[bool, bytes]]) -> None:
        self.table = table

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.table:
            return None
        package = self.is_package(fullname)
        origin = f"{ROOT}/{fullname.replace('.', '/')}{'/__init__' if package else ''}.py"
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=origin, is_package=package)
        spec.has_location = True
        return spec

    def get_code(self, fullname: str) -> types.CodeType:
        return marshal.loads(zlib.decompress(self.table[fullname][1]))

    def is_package(self, fullname: str) -> bool:
        return self.table[fullname][0]

    def get_source(self, fullname: str) -> None:
        return None


def install() -> None:
    """Embed what is not imported yet, and look there before looking at the pack.

    The order makes the library win over a file of the same name in a pack,
    whether the module happens to be preloaded or embedded.
    """
    table = {
        name: (package, _compressed(path))
        for name, package, path in _sources(ROOT, "")
        if name not in sys.modules
    }
    path_finder = sys.meta_path.index(importlib.machinery.PathFinder)
    sys.meta_path.insert(path_finder, EmbeddedLibrary(table))


def _sources(directory: str, package: str):
    """Yield (module name, is a package, path) for the sources below a directory."""
    for entry in sorted(os.listdir(directory)):
        path = f"{directory}/{entry}"
        stem, extension = os.path.splitext(entry)
        if stem in _SKIPPED or stem.startswith("test_"):
            continue
        if entry == "__init__.py":
            yield package, True, path
        elif extension == ".py":
            yield _join(package, stem), False, path
        elif os.path.exists(f"{path}/__init__.py"):
            yield from _sources(path, _join(package, stem))


def _join(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


def _compressed(path: str) -> bytes:
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    return zlib.compress(marshal.dumps(code), 9)
