"""Listing of images for a gallery, with their metadata."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmtbps.datasets.base import TBPSDataset

from .metadata import MetadataSource

__all__ = ['IMAGE_SUFFIXES', 'GalleryImage', 'Images', 'list_gallery', 'start_of_paths_below']

Images = str | Path | TBPSDataset | Iterable[str | Path]
"""A folder, one image file, paths of files, or a data set."""

IMAGE_SUFFIXES = frozenset({'.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'})
"""File name extensions by which images of a folder are recognised, in lower case."""

_GONE = (-1, -1)
"""Size and time of a broken link, or of a file that was deleted while its folder was listed."""


@dataclass(frozen=True)
class GalleryImage:
    """State of an image file when it was listed.

    Args:
        path: Absolute path.
        size: Size of the file in bytes.
        mtime_ns: Time of its last modification in nanoseconds.
        metadata: Strings and numbers by name, ``folder`` among them. Defaults to none.
    """

    path: str
    size: int
    mtime_ns: int
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def same_file(self, other: 'GalleryImage') -> bool:
        """Whether path, size and modification time are the same."""
        return (self.path, self.size, self.mtime_ns) == (other.path, other.size, other.mtime_ns)

    def to_list(self) -> list:
        """Return the fields in order, for JSON."""
        return [self.path, self.size, self.mtime_ns, dict(self.metadata)]


def list_gallery(images: Images, metadata: MetadataSource | None = None) -> list[GalleryImage]:
    """List the images of a folder, a list or a data set.

    Args:
        images: A folder, which is searched recursively for files with an extension of ``IMAGE_SUFFIXES`` (hidden ones
            are left out); one image file; paths of files; or a data set, whose ``person_id`` becomes metadata.
        metadata: Further metadata. Defaults to None: only the folder of each image.

    Returns:
        Every image once: those of a folder in alphabetical order, others in the given order.

    Raises:
        FileNotFoundError: If the folder or a listed file does not exist.
        ValueError: If there is no image.
    """
    source = metadata or MetadataSource()
    whole_folder = isinstance(images, str | Path) and Path(images).is_dir()
    found: dict[str, GalleryImage] = {}
    for path, of_place in _paths(images):
        absolute = os.path.abspath(path)
        try:
            status = os.stat(absolute)
            size, mtime_ns = status.st_size, status.st_mtime_ns
        except FileNotFoundError as error:
            if not whole_folder:
                raise FileNotFoundError(f'There is no image {path}. Correct the path or leave it out.') from error
            size, mtime_ns = _GONE  # loading it reports the error
        found[absolute] = GalleryImage(absolute, size, mtime_ns, {**of_place, **source.of(absolute)})
    if not found:
        raise ValueError(
            f'There is no image in {_name(images)}. Image files end in {", ".join(sorted(IMAGE_SUFFIXES))}.'
        )
    return list(found.values())


def start_of_paths_below(folder: str | Path) -> str:
    """Prefix of the absolute paths below a folder; with a trailing separator, so that ``crops`` excludes ``crops2``."""
    return os.path.join(os.path.abspath(folder), '')


def _paths(images: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Paths, each with the metadata that follow from its place."""
    if isinstance(images, TBPSDataset):
        for index in range(len(images)):
            item = images.get_data_info(index)
            yield item['img_path'], dict(folder=_parent(item['img_path']), person_id=int(item['person_id']))
    elif isinstance(images, str | Path):
        root = Path(images)
        if root.is_file():
            yield str(root), dict(folder=_parent(root))
        elif root.is_dir():
            for path in _walk(root):
                yield path, dict(folder=os.path.relpath(os.path.dirname(path), root))
        else:
            raise FileNotFoundError(f'There is no folder or image {images}.')
    else:
        yield from ((str(path), dict(folder=_parent(path))) for path in images)


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith('.'):
                yield os.path.join(folder, name)


def _parent(path: str | Path) -> str:
    return os.path.basename(os.path.dirname(os.path.abspath(path)))


def _name(images: Any) -> str:
    return f'the folder {images}' if isinstance(images, str | Path) else f'a {type(images).__name__} of images'
