"""What searching and indexing answer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .shards import BrokenImage

__all__ = ['CaptionResult', 'IndexReport', 'SearchResult']


@dataclass(frozen=True)
class SearchResult:
    """One image of an answer.

    Args:
        rank: Its place, from 1.
        path: The image file.
        score: What it was ranked by, the larger the better: the cosine, or the re-ranker's similarity.
        cosine: Cosine similarity of query and image, -1..1.
        metadata: What is known of the image.
    """

    rank: int
    path: str
    score: float
    cosine: float
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return dict(asdict(self), metadata=dict(self.metadata))


@dataclass(frozen=True)
class CaptionResult:
    """One sentence of an answer to an image: its place from 1, the sentence and its cosine similarity."""

    rank: int
    caption: str
    score: float


@dataclass
class IndexReport:
    """What indexing did.

    Args:
        added: Images that are new.
        changed: Images whose file or metadata changed.
        unchanged: Images that were there already and were not looked at again.
        removed: Images that are gone.
        broken: Images that could not be read and are not in the gallery.
        total: Images in the gallery now.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    broken: list[BrokenImage] = field(default_factory=list)
    total: int = 0

    def __str__(self) -> str:
        lines = [
            f'{self.total} images in the gallery: {self.added} new, {self.changed} changed, '
            f'{self.unchanged} unchanged, {self.removed} removed, {len(self.broken)} broken'
        ]
        return '\n'.join([*lines, *(f'  skipped {entry.image.path}: {entry.error}' for entry in self.broken)])
