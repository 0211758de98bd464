"""State of a built index: which rows of which gallery it holds."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmtbps.core.files import write_atomically

from ..store import GalleryStore

__all__ = ['BuildState']


@dataclass
class BuildState:
    """Which rows of a gallery an index holds; stored as a JSON file beside the index.

    Args:
        settings: Settings that the index was built with.
        rows: Number of rows that were added. Defaults to 0: a new index is empty.
        gallery: Identity of the gallery. Defaults to an empty string, which no gallery has.
        trained_on: Number of rows when the index was last built from scratch. Defaults to 0.
        removed: Rows that were deleted again. Defaults to none.
    """

    settings: dict[str, Any]
    rows: int = 0
    gallery: str = ''
    trained_on: int = 0
    removed: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> 'BuildState | None':
        """Read a file; None if it is missing or unreadable, so that the index is built again."""
        try:
            return cls(**json.loads(file.read_text(encoding='utf-8')))
        except (OSError, TypeError, ValueError):
            return None

    def write(self, file: Path) -> None:
        """Write the file atomically."""
        write_atomically(file, json.dumps(asdict(self)).encode())

    def fits(self, store: GalleryStore, settings: dict[str, Any]) -> bool:
        """Whether the index was built with these settings from this gallery."""
        return self.gallery == store.identity and self.rows <= store.num_rows and self.settings == settings
