"""zoneinfo's data: the files of the `tzdata` wheel, kept in memory."""

import importlib.resources
import io
import zoneinfo
from importlib.resources.abc import Traversable
from zoneinfo import _common

_zones: dict[str, bytes] = {}


def install() -> None:
    """Read the zones at build time and have zoneinfo look them up in memory."""
    data = importlib.resources.files("tzdata")
    names = data.joinpath("zones").read_text().split()
    _zones.update((name, _read(data, name)) for name in names)
    _common.load_tzdata = _load
    zoneinfo.available_timezones = lambda: set(_zones)
    zoneinfo.reset_tzpath(to=())


def _read(data: Traversable, name: str) -> bytes:
    return data.joinpath("zoneinfo", *name.split("/")).read_bytes()


def _load(key: str) -> io.BytesIO:
    try:
        return io.BytesIO(_zones[key])
    except KeyError:
        raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}") from None
