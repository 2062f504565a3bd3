"""A system clock that a test may set, as one server sees it; time goes on as it does."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class SteppedClock:
    """Where a server reads how far its clock is off."""

    file: Path

    def step(self, hours: int) -> None:
        """Set the clock so many hours before or after the true time."""
        # At once and whole: the server reads it whenever it asks for the time.
        unfinished = self.file.with_suffix(".unfinished")
        unfinished.write_text(f"{hours:+d}h")
        unfinished.rename(self.file)

    def variables(self) -> dict[str, str]:
        """What a server needs in its environment."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            # Setting the clock does not touch this one, nor what files say.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def library() -> Path:
    found = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "faketime is missing; .config/prepare.sh test installs it"
    return found[0]
