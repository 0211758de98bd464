"""What cropping did."""

from dataclasses import dataclass, field

from mmtbps.core.text import printable

__all__ = ['CropReport']


@dataclass
class CropReport:
    """Counts of what a run of :func:`~mmtbps.video.crop_videos` did.

    Attributes:
        sources: Videos and folders of frames that were read in this run.
        frames: Frames in which persons were searched.
        crops: Crops that were written.
        duplicates: Boxes that were left out since somebody was cropped at the same place shortly before.
        overlapping: Boxes that were left out since a surer one in the same frame overlaps them.
        too_small: Boxes of which fewer pixels than ``min_height`` are in the frame, or none.
        unchanged: Paths of sources that were finished by an earlier run, and were not read again.
        unreadable: Paths of sources of which nothing could be read, and the reasons.
        remarks: What was wrong with others, a line each: videos that end early, broken frames.
        total: Crops in the table afterwards, those of other sources included.
    """

    sources: int = 0
    frames: int = 0
    crops: int = 0
    duplicates: int = 0
    overlapping: int = 0
    too_small: int = 0
    unchanged: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    total: int = 0

    def __str__(self) -> str:
        sources = '1 source' if self.sources == 1 else f'{self.sources} sources'
        parts = [
            f'{self.crops} crops from {self.frames} frames of {sources}; left out: {self.duplicates} at places where '
            f'somebody was cropped shortly before (same_seconds), {self.overlapping} that overlap others, '
            f'{self.too_small} too small.'
        ]
        if self.unchanged:
            parts.append(f'Finished before: {len(self.unchanged)}.')
        parts.append(f'{self.total} crops in the table.')
        parts += [f'Not read: {printable(path)}: {reason}.' for path, reason in self.unreadable.items()]
        parts += [f'{remark}.' for remark in self.remarks]
        return ' '.join(parts)
