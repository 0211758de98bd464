"""What has to be done so that a gallery knows the images of a listing."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from .gallery import GalleryImage
from .store import GalleryStore

__all__ = ['Difference', 'compare']


@dataclass
class Difference:
    """A listing against a gallery.

    Args:
        new: Images that the gallery lacks.
        changed: Images whose file is another by size or time of change.
        refiled: Images whose file is the same, but of which other facts are known now.
        unchanged: Images to leave alone.
        gone: Paths of the gallery's images that are below the listed folder and no longer there.
    """

    new: list[GalleryImage] = field(default_factory=list)
    changed: list[GalleryImage] = field(default_factory=list)
    refiled: list[GalleryImage] = field(default_factory=list)
    unchanged: list[GalleryImage] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def compare(store: GalleryStore, images: Sequence[GalleryImage], folder: str | None, with_metadata: bool) -> Difference:
    """Compare a listing with a gallery.

    Args:
        store: The gallery.
        images: The listing.
        folder: The folder that was listed as a whole; what the gallery has below it and the listing lacks is gone.
            None: a list, which says nothing of other images.
        with_metadata: Whether facts were given; else an unchanged image keeps those it has.

    Returns:
        The difference.
    """
    difference = Difference()
    for image in images:
        if image.path not in store:
            difference.new.append(image)
            continue
        stored = store.images[store.row(image.path)]
        if not image.same_file(stored):
            difference.changed.append(image)
        elif with_metadata and dict(image.metadata) != dict(stored.metadata):
            difference.refiled.append(image)
        else:
            difference.unchanged.append(image)
    if folder is not None:
        listed = {image.path for image in images}
        below = os.path.join(os.path.abspath(folder), '')
        difference.gone = [path for path in store.paths() if path.startswith(below) and path not in listed]
    return difference
