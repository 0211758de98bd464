"""What a built index belongs to."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmtbps.core.files import write_atomically

from ..store import GalleryStore

__all__ = ['BuildState']


@dataclass
class BuildState:
    """How far an index follows its gallery; a JSON file beside what was built.

    Args:
        settings: What decided how it was built.
        rows: Rows of the gallery that it has.
        gallery: The gallery's identity.
        trained_on: Rows there were when it was last built from scratch.
        removed: Rows that were taken out again.
    """

    settings: dict[str, Any]
    rows: int = 0
    gallery: str = ''
    trained_on: int = 0
    removed: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> 'BuildState | None':
        """Read a file; None if there is none that can be read, so that the index is built again."""
        try:
            return cls(**json.loads(file.read_text(encoding='utf-8')))
        except (OSError, TypeError, ValueError):
            return None

    def write(self, file: Path) -> None:
        """Write the file atomically."""
        write_atomically(file, json.dumps(asdict(self)).encode())

    def fits(self, store: GalleryStore, settings: dict[str, Any]) -> bool:
        """Whether this was built with these settings from the first rows of this gallery."""
        return self.gallery == store.identity and self.rows <= store.num_rows and self.settings == settings
