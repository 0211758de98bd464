"""Where the files of a data set are: paths of other systems, and folders within folders."""

import os
import posixpath
from collections.abc import Iterable, Sequence

from .annotation import ImageEntry, missing_images

__all__ = ['nested_hint', 'require_images', 'with_slashes']

_MOST_FOLDERS = 1000


def with_slashes(folder: str, entries: Sequence[ImageEntry]) -> list[ImageEntry]:
    r"""Read backslashes of paths that were written on Windows as slashes, unless there are files of such a name.

    Args:
        folder: The image folder.
        entries: Entries of an annotation.

    Returns:
        The entries, those with backslashes with other paths.
    """
    paths = {entry.img_path for entry in entries if '\\' in entry.img_path}
    if not paths:
        return list(entries)
    # An archive of Windows that was unpacked elsewhere may have left files whose names have backslashes in them.
    written = dict.fromkeys(missing_images(folder, sorted(paths)))
    return [
        entry._replace(img_path=posixpath.normpath(entry.img_path.replace('\\', '/')))
        if entry.img_path in written
        else entry
        for entry in entries
    ]


def nested_hint(folder: str, paths: Iterable[str]) -> str:
    """Look one folder deeper, and one higher, for a file that is not where it was expected.

    Args:
        folder: Where it was expected.
        paths: Paths below it, of which any may be found.

    Returns:
        A sentence that names the folder where it is; an empty text if it is in none.
    """
    try:
        inside = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())[:_MOST_FOLDERS]
    except OSError:
        inside = []
    for place in (*inside, os.path.dirname(os.path.abspath(folder))):
        for path in paths:
            if os.path.isfile(os.path.join(place, path)):
                return f'There is {path} in {place}: is that the folder?'
    return ''


def require_images(folder: str, paths: Sequence[str]) -> None:
    """Check that images exist on the disk.

    Args:
        folder: The image folder.
        paths: Image paths below it.

    Raises:
        FileNotFoundError: If some are missing; the message counts them and names the first ones, and a folder where
            they are.
    """
    missing = missing_images(folder, paths)
    if missing:
        hint = nested_hint(folder, missing[:3])
        raise FileNotFoundError(
            f'{len(missing)} of {len(paths)} images are not in {folder}: {", ".join(missing[:3])}'
            f'{", ..." if len(missing) > 3 else ""}. {f"{hint} " if hint else ""}Check data_root and data_prefix; '
            'mmtbps verify lists every missing image. (check_images=False skips this check, '
            'for images that are not on the local disk.)'
        )
