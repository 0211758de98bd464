"""A table to fill in with sentences, from a folder of images."""

import csv
import io
import os
from pathlib import Path

from mmtbps.core.files import write_atomically

from .listing import list_images
from .metadata import MetadataSource

__all__ = ['write_annotation_table']


def write_annotation_table(images: str | Path, out: str | Path, pattern: str | None = None) -> tuple[int, str | None]:
    """Write a CSV for :class:`~mmtbps.datasets.PersonCaptions`: a row per image, with an empty caption.

    Args:
        images: Folder of images, searched as for a gallery.
        out: The table; it must not exist, since it may have been filled in.
        pattern: Regular expression on paths whose named groups become columns, ``person_id`` among them. Defaults to
            None: the column ``person_id`` is empty.

    Returns:
        The number of rows, and the folder that the paths in the table are relative to; None for the table's own, if the
        images are below it.

    Raises:
        FileExistsError: If the table exists.
        FileNotFoundError: If there are no images.
        ValueError: If ``out`` does not end in ``.csv``, or the pattern meets no image.
    """
    if Path(out).suffix != '.csv':
        raise ValueError(f'The table must end in .csv, got {out}.')
    if Path(out).exists():
        raise FileExistsError(f'{out} exists and may have been filled in. Name another file, or remove it.')
    listed = list_images(images, MetadataSource(pattern=pattern) if pattern else None)
    facts = sorted({name for image in listed.images for name in image.metadata} - {'folder', 'person_id'})
    beside = Path(out).absolute().parent
    folder = beside if Path(images).absolute().is_relative_to(beside) else Path(images).absolute()
    table = io.StringIO(newline='')
    writer = csv.writer(table)
    writer.writerow(['image', 'caption', 'person_id', *facts])
    for image in listed.images:
        known = [image.metadata.get(name, '') for name in ('person_id', *facts)]
        writer.writerow([os.path.relpath(image.path, folder), '', *known])
    write_atomically(out, table.getvalue().encode())
    return len(listed.images), None if folder == beside else os.path.relpath(folder)
