"""A table to fill in with sentences, from a folder of images."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmtbps.core.files import write_atomically
from mmtbps.core.text import one_line, printable

from .listing import list_images
from .metadata import MetadataSource

__all__ = ['AnnotationTable', 'write_annotation_table']


class AnnotationTable(NamedTuple):
    """What :func:`write_annotation_table` wrote.

    Attributes:
        rows: The number of rows.
        folder: The folder that the paths in the table are relative to; None for the table's own, if the images are
            below it.
        remarks: What whoever fills it in should know, a line each.
        persons: Number of persons that the pattern finds.
    """

    rows: int
    folder: str | None
    remarks: list[str]
    persons: int = 0


def write_annotation_table(images: str | Path, out: str | Path, pattern: str | None = None) -> AnnotationTable:
    """Write a CSV for :class:`~mmtbps.datasets.PersonCaptions`: a row per image, with an empty caption.

    Args:
        images: Folder of images, searched as for a gallery.
        out: The table; it must not exist, since it may have been filled in.
        pattern: Regular expression on paths whose named groups become columns, ``person_id`` among them. Defaults to
            None: the column ``person_id`` is empty.

    Returns:
        The number of rows, the folder of the paths, and remarks.

    Raises:
        FileExistsError: If the table exists.
        FileNotFoundError: If there are no images.
        ValueError: If ``out`` does not end in ``.csv``, the pattern finds nothing in any path or names a column of
            every table, or the path of an image is no UTF-8, which a table that is read as UTF-8 cannot hold.
    """
    if Path(out).suffix != '.csv':
        raise ValueError(f'The table must end in .csv, got {out}.')
    if Path(out).exists():
        raise FileExistsError(f'{out} exists and may have been filled in. Name another file, or remove it.')
    source = MetadataSource(pattern=pattern)
    listed = list_images(images, source)
    remarks = [*listed.remarks, *source.require_met(listed.images[0].path)]
    beside = Path(out).absolute().parent
    folder = beside if Path(images).absolute().is_relative_to(beside) else Path(images).absolute()
    paths = [os.path.relpath(image.path, folder) for image in listed.images]
    _require_utf8(paths)
    write_atomically(out, _format(paths, [image.metadata for image in listed.images]).encode())
    persons = {image.metadata['person_id'] for image in listed.images if 'person_id' in image.metadata}
    return AnnotationTable(len(paths), None if folder == beside else os.path.relpath(folder), remarks, len(persons))


def _require_utf8(paths: Sequence[str]) -> None:
    odd = [path for path in paths if printable(path) != path]
    if odd:
        raise ValueError(
            f'The paths of {len(odd)} of {len(paths)} images are no UTF-8, as that of {one_line(odd[0])}, and a table '
            'cannot name them. Rename these files, or move them away.'
        )


def _format(paths: Sequence[str], metadata: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV; facts may be from folders above whose names are no UTF-8."""
    facts = sorted({name for known in metadata for name in known} - {'folder', 'person_id'})
    taken = {'image', 'caption'}.intersection(facts)
    if taken:
        raise ValueError(f'The table has a column {min(taken)} already; name the group of the pattern otherwise.')
    table = io.StringIO(newline='')
    writer = csv.writer(table)
    writer.writerow(['image', 'caption', 'person_id', *facts])
    for path, known in zip(paths, metadata, strict=True):
        writer.writerow([path, '', *(known.get(name, '') for name in ('person_id', *facts))])
    return printable(table.getvalue())
