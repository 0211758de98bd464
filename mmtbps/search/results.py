"""Results of searching and indexing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mmtbps.core.text import one_line

from .shards import BrokenImage

__all__ = ['CaptionResult', 'IndexReport', 'SearchResult']


@dataclass(frozen=True)
class SearchResult:
    """One image found for a query.

    Args:
        rank: Its rank, from 1.
        path: The image file.
        score: The value it was ranked by, larger is better: the cosine, or the similarity of the re-ranker.
        cosine: Cosine similarity of query and image, -1..1.
        metadata: Metadata of the image. Defaults to none.
    """

    rank: int
    path: str
    score: float
    cosine: float
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, for JSON."""
        return dict(asdict(self), metadata=dict(self.metadata))


@dataclass(frozen=True)
class CaptionResult:
    """One sentence found for an image.

    Args:
        rank: Its rank, from 1.
        caption: The sentence.
        score: Cosine similarity of image and sentence, -1..1.
    """

    rank: int
    caption: str
    score: float


@dataclass
class IndexReport:
    """Counts of what indexing did.

    Attributes:
        added: New images.
        changed: Images whose file or metadata changed.
        unchanged: Images that needed no update.
        removed: Images that left the gallery.
        broken: Images that could not be read and are not in the gallery.
        total: Images in the gallery afterwards.
        remarks: What was found beside the images: files that are none, folders that were not looked into, rows of the
            table of metadata that meet no image.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    broken: list[BrokenImage] = field(default_factory=list)
    total: int = 0
    remarks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f'{self.total} images in the gallery: {self.added} new, {self.changed} changed, '
            f'{self.unchanged} unchanged, {self.removed} removed, {len(self.broken)} broken'
        ]
        lines += [f'  skipped {entry.image.path}: {entry.error}' for entry in self.broken]
        return '\n'.join(map(one_line, [*lines, *(f'  {remark}' for remark in self.remarks)]))
