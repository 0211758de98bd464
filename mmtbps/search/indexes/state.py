"""State of a built index: which rows of which gallery it holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..store import GalleryStore

__all__ = ['BuildState']


@dataclass
class BuildState:
    """Which rows of a gallery an index holds; the gallery's manifest keeps it.

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
    def of(cls, built: Mapping[str, Any]) -> 'BuildState | None':
        """Read it from the manifest of a gallery; None if it is missing or of other kinds."""
        data = built.get('state')
        kinds = dict(settings=dict, rows=int, gallery=str, trained_on=int, removed=list)
        if not isinstance(data, dict) or {name: type(value) for name, value in data.items()} != kinds:
            return None
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for the manifest."""
        return asdict(self)

    def fits(self, store: GalleryStore, settings: dict[str, Any]) -> bool:
        """Whether the index was built with these settings from this gallery."""
        return self.gallery == store.identity and self.rows <= store.num_rows and self.settings == settings
