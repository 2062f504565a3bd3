"""One case of the self-test: what a run is given, and what must come of it.

A folder per case: `case.json` and the pack it runs in, `pack/`. The golden
envelopes of `sdk/contract` are cases too, with that folder as their pack.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CONTRACT = HERE.parent.parent.parent / "sdk" / "contract"


@dataclass
class Observed:
    """What a run answered and what it wrote."""

    response: Any
    stdout: str
    stderr: str


@dataclass
class Case:
    name: str
    pack: Path
    request: dict[str, Any]
    stdin: str
    expect: dict[str, Any]
    export: str = "run"
    # Whether its pack gets `fake_host.py` as a module.
    fake_host: bool = False

    def problems(self, runs: list[Observed]) -> Iterator[str]:
        """What differs from the expectation. One that is absent or null is no expectation."""
        for observed in runs:
            yield from self._problems_of(observed)
        if self.expect.get("stdout_differs") and len({run.stdout for run in runs}) != len(runs):
            yield "stdout is the same in two instances"

    def _problems_of(self, observed: Observed) -> Iterator[str]:
        if observed.response != self.expect["response"]:
            yield f"response: {observed.response}\nstderr: {observed.stderr}"
        wanted = self.expect.get("stdout")
        if wanted is not None and observed.stdout != wanted:
            yield f"stdout: {observed.stdout[:2000]!r}\nwanted: {wanted[:2000]!r}"
        for stream in ("stdout", "stderr"):
            text = getattr(observed, stream)
            for part in self.expect.get(f"{stream}_contains", []):
                if part not in text:
                    yield f"{stream} lacks {part!r}: {text!r}"
            for part in self.expect.get(f"{stream}_lacks", []):
                if part in text:
                    yield f"{stream} has {part!r}: {text!r}"


def load_all() -> Iterator[Case]:
    for path in sorted((HERE / "cases").glob("*/case.json")):
        yield Case(path.parent.name, path.parent / "pack", **json.loads(path.read_text()))
    for path in sorted(CONTRACT.glob("*.request.json")):
        yield _golden(path)


def _golden(path: Path) -> Case:
    name = path.name.removesuffix(".request.json")
    response = json.loads((CONTRACT / f"{name}.response.json").read_text())
    case = Case(
        name=f"contract/{name}",
        pack=CONTRACT,
        request=json.loads(path.read_text()),
        stdin="",
        expect={"response": response},
    )
    if name == "prime":
        case.export, case.pack = "prime", HERE.parent / "prime"
    return case
