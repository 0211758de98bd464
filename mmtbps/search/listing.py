"""Listing of images for a gallery, with their metadata."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmtbps.core.image_kinds import image_suffixes
from mmtbps.core.images import ADDRESS
from mmtbps.core.text import one_line
from mmtbps.datasets.base import TBPSDataset

from .metadata import MetadataSource
from .walking import DEAD_LINK, Walk, walk_images

__all__ = ['GalleryImage', 'Images', 'Listing', 'list_gallery', 'list_images', 'start_of_paths_below']

Images = str | Path | TBPSDataset | Iterable[str | Path]
"""A folder, one image file, paths of files, or a data set."""

_GONE = (-1, -1)
"""Size and time of a file that was deleted while its folder was listed."""


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


@dataclass
class Listing:
    """Images for a gallery, and what was found beside them.

    Attributes:
        images: Every image once.
        folder: The folder that was listed; None if the listing says nothing about other images.
        walk: What else the folder holds.
        remarks: What whoever indexes should know, a line each.
    """

    images: list[GalleryImage]
    folder: str | None = None
    walk: Walk = field(default_factory=Walk)
    remarks: list[str] = field(default_factory=list)

    def misses(self, path: str) -> bool:
        """Whether an image below the folder is there no more; never said of what was not looked into."""
        if any(path == unseen or path.startswith(start_of_paths_below(unseen)) for unseen in self.walk.unseen):
            return False
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            pass
        return False


def list_gallery(images: Images, metadata: MetadataSource | None = None) -> list[GalleryImage]:
    """List the images of a folder, a list or a data set; see :func:`list_images`."""
    return list_images(images, metadata).images


def list_images(images: Images, metadata: MetadataSource | None = None) -> Listing:
    """List the images of a folder, a list or a data set, and count what is none.

    Args:
        images: A folder, which is searched recursively, linked folders included, for files with an extension of
            :func:`~mmtbps.core.image_kinds.image_suffixes` (hidden ones are left out); one image file; paths of files;
            or a data set, whose ``person_id`` becomes metadata.
        metadata: Further metadata. Defaults to None: only the folder of each image.

    Returns:
        Every image once: those of a folder in alphabetical order, others in the given order.

    Raises:
        FileNotFoundError: If the folder or a listed file does not exist.
        OSError: If a listed file cannot be looked at.
        ValueError: If there is no image, or a listed one is a pipe, a socket or a device.
    """
    source = metadata or MetadataSource()
    whole_folder = isinstance(images, str | Path) and Path(images).is_dir()
    walk = walk_images(str(images)) if whole_folder else Walk()
    found: dict[str, GalleryImage] = {}
    for path, of_place in _paths(images, walk):
        absolute = os.path.abspath(path)
        state = _state_in_folder(absolute, walk) if whole_folder else _state(path)
        if state is not None:
            found[absolute] = GalleryImage(absolute, *state, {**of_place, **source.of(absolute)})
    if not found:
        held = f' It holds files that are {walk}.' if str(walk) else ''
        raise ValueError(
            f'There is no image in {_name(images)}.{held} Image files that can be read here end in '
            f'{", ".join(sorted(image_suffixes()))}.'
        )
    remarks = str(walk).splitlines()
    return Listing(list(found.values()), str(images) if whole_folder else None, walk, remarks)


def _state(path: str) -> tuple[int, int]:
    """Size and time of a file that was asked for."""
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(_no_image(path)) from error
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f'{one_line(path)} is no file that can be read as an image. Leave it out.')
    return status.st_size, status.st_mtime_ns


def _state_in_folder(path: str, walk: Walk) -> tuple[int, int] | None:
    """Size and time of what was found in a folder; None if it is no file or cannot be looked into, which is noted."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if not os.path.islink(path):
            return _GONE  # loading it reports the error
        walk.unseen[path] = DEAD_LINK
        return None
    except OSError as error:  # links in a circle, a folder without permission
        walk.unseen[path] = error.strerror or type(error).__name__
        return None
    if not stat.S_ISREG(status.st_mode):
        walk.others['pipes, sockets or devices'] += 1
        return None
    return status.st_size, status.st_mtime_ns


def start_of_paths_below(folder: str | Path) -> str:
    """Prefix of the absolute paths below a folder; with a trailing separator, so that ``crops`` excludes ``crops2``."""
    return os.path.join(os.path.abspath(folder), '')


def _paths(images: Any, walk: Walk) -> Iterator[tuple[str, dict[str, Any]]]:
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
            for path in walk.images:
                yield path, dict(folder=os.path.relpath(os.path.dirname(path), root))
        else:
            raise FileNotFoundError(_no_image(str(images), 'folder or image'))
    else:
        yield from ((str(path), dict(folder=_parent(path))) for path in images)


def _no_image(path: str, what: str = 'image') -> str:
    if ADDRESS.match(path):
        return f'{path} is an address, not a file: only files of this machine are read. Download it first.'
    return f'There is no {what} {one_line(path)}. Correct the path or leave it out.'


def _parent(path: str | Path) -> str:
    return os.path.basename(os.path.dirname(os.path.abspath(path)))


def _name(images: Any) -> str:
    return f'the folder {images}' if isinstance(images, str | Path) else f'a {type(images).__name__} of images'
