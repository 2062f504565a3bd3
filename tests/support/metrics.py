"""Metrics in the text format of Prometheus, read strictly."""

import re
from dataclasses import dataclass, field

import httpx

Labels = frozenset[tuple[str, str]]

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
PARTS = re.compile(r"_(bucket|sum|count)$")


@dataclass
class Metrics:
    """What one scrape has told."""

    text: str
    help: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels, whatever else they have."""
        asked = set(labels.items())
        found = [
            value
            for (sampled, having), value in self.samples.items()
            if sampled == name and asked <= having
        ]
        return sum(found)

    def labels(self) -> set[tuple[str, str]]:
        """All there are, but for the bounds of buckets."""
        all_labels = {label for _, having in self.samples for label in having}
        return {(name, value) for name, value in all_labels if name != "le"}

    def families(self) -> set[str]:
        """The names under which samples are described."""
        return {self._family(name) for name, _ in self.samples}

    def _family(self, name: str) -> str:
        stem = PARTS.sub("", name)
        return stem if self.types.get(stem) == "histogram" else name


def read(response: httpx.Response) -> Metrics:
    assert response.status_code == 200, response.text[:500]
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    metrics = Metrics(response.text)
    for line in filter(None, response.text.splitlines()):
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            described = {"HELP": metrics.help, "TYPE": metrics.types}[kind]
            assert name not in described, line
            described[name] = rest
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        name, inner, value = sample.groups()
        key = (name, frozenset(LABEL.findall(inner or "")))
        assert key not in metrics.samples, line
        metrics.samples[key] = float(value)
    return metrics
