"""What the agent noted of volumes in quarantine, in a file of the node's folder; losing it only keeps them longer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from flux.agent.quarantine import Sighting
from flux.durable import write_whole

FILE = "quarantine.json"


@dataclass(frozen=True, slots=True)
class Notes:
    """The file's content."""

    keep_seconds: int = 0
    """How long the operator wants volumes kept at least."""
    volumes: Mapping[str, Sighting] = field(default_factory=dict)
    """By the engine's name of the volume."""


class SightingStore:
    """Written as a whole: the old content, or the new one."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def load(self) -> Notes:
        """What was noted; nothing where the file is missing or damaged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Notes)
        except (OSError, msgspec.DecodeError):
            return Notes()

    def save(self, notes: Notes) -> None:
        """Raises OSError."""
        write_whole(self._path, msgspec.json.encode(notes))
