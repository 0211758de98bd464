"""Raw annotations: reading, checks, and errors that name the place and the remedy."""

import ntpath
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine import fileio

from mmtbps.core.files import require_regular
from mmtbps.core.json_text import parse_json

__all__ = [
    'SPLITS',
    'ImageEntry',
    'back_translations',
    'check_split',
    'conflicts',
    'drop_blank_captions',
    'load_json',
    'merge_images',
    'missing_images',
    'parse_entry',
    'read_text',
    'relative_path',
    'sort_ids',
]

_UNUSUAL = re.compile(r'^/|[\\:]|\.\.')
SPLITS = ('train', 'val', 'test')


class ImageEntry(NamedTuple):
    """One image of a raw annotation.

    Attributes:
        img_path: Path below the image folder.
        person_id: Identity as the annotation writes it.
        captions: Any number of captions, including blank ones.
        split: 'train', 'val' or 'test'.
        where: Place in the annotation file, for error messages: 'entry 17' (counted from 0) or 'line 18'.
    """

    img_path: str
    person_id: int | str
    captions: list[str]
    split: str
    where: str


def check_split(split: Any) -> str:
    """Return ``split`` if it is 'train', 'val' or 'test'.

    Raises:
        ValueError: If it is anything else.
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, but got {split!r:.80}')
    return split


def read_text(file: str) -> str:
    """Read a UTF-8 text file, with or without a byte order mark.

    Args:
        file: Path for one of MMEngine's file backends.

    Raises:
        OSError: If it is no regular file.
        ValueError: If the file is not UTF-8.
    """
    require_regular(file)
    try:
        return fileio.get_text(file, encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{file} is not UTF-8 ({error}). Save it as UTF-8.') from error


def load_json(file: str, keys: Iterable[str]) -> Any:
    """Load a JSON file and keep only some keys of every object in it.

    Args:
        file: Path of the file.
        keys: Keys to keep; others, such as CUHK-PEDES's ``processed_tokens``, are dropped while reading, which saves
            most of the memory.

    Raises:
        ValueError: If the file is not JSON; the message names line and column.
    """
    kept, text = tuple(keys), read_text(file)
    try:
        return parse_json(text, lambda obj: {key: obj[key] for key in kept if key in obj})
    except ValueError as error:
        raise ValueError(f'{file}: {error}. Is it complete? Download or write it again.') from error


def relative_path(path: Any) -> str:
    """Normalise a path below the image folder: ``.`` and double slashes are removed.

    Annotations are untrusted input: a path that is absolute, has a drive or contains ``..`` (with either kind of slash)
    could make the program read, and search results show, any file of the machine.

    Raises:
        ValueError: If the path is not a text, is empty or leaves the folder.
    """
    if not isinstance(path, str) or not path.strip() or '\0' in path:
        raise ValueError(f'the image path must be a non-empty text, but got {path!r:.80}')
    clean = posixpath.normpath(path)
    # The rules of Windows accept both kinds of slashes, so they are the stricter ones on every system.
    if _UNUSUAL.search(path) and (
        ntpath.splitdrive(clean)[0] or clean.startswith(('/', '\\')) or '..' in re.split(r'[/\\]', path)
    ):
        raise ValueError(f'the image path {path!r:.200} leaves the image folder; write it relative to that folder')
    return clean


def parse_entry(record: Any, keys: Mapping[str, str], where: str, split: str | None = None) -> ImageEntry:
    """Check one record of an annotation and convert it to an :class:`ImageEntry`.

    Args:
        record: The record.
        keys: Names in the record of 'img_path', 'person_id', 'captions' and, unless ``split`` is given, 'split'.
        where: Place in the file, for error messages.
        split: Split of the record. Defaults to None: the record names it.

    Raises:
        ValueError: If a key is missing or a value has a wrong type. The caller adds file and place to the message.
    """
    if not isinstance(record, Mapping):
        raise ValueError(f'an object with the keys {sorted(keys.values())} is expected, but got {record!r:.80}')
    missing = [key for key in keys.values() if key not in record]
    if missing:
        raise ValueError(f'missing {", ".join(map(repr, missing))}')
    person_id = record[keys['person_id']]
    if isinstance(person_id, bool) or not isinstance(person_id, int | str) or person_id == '':
        raise ValueError(f'{keys["person_id"]!r} must be an integer or a text, but got {person_id!r:.80}')
    if isinstance(person_id, str) and person_id != person_id.strip():
        # 'p1' and 'p1 ' would be two persons.
        raise ValueError(f'{keys["person_id"]!r} has white space around it, {person_id!r:.80}; remove it')
    captions = record[keys['captions']]
    captions = [captions] if isinstance(captions, str) else captions
    if not isinstance(captions, list) or not all(isinstance(caption, str) for caption in captions):
        raise ValueError(f'{keys["captions"]!r} must be a list of texts, but got {captions!r:.80}')
    split = check_split(record[keys['split']] if split is None else split)
    return ImageEntry(relative_path(record[keys['img_path']]), person_id, captions, split, where)


def back_translations(captions: Sequence[str], translations: Any) -> dict[str, str]:
    """Pair captions with their back translations; what is missing, blank or of another kind is left out.

    Args:
        captions: The captions of a record.
        translations: What the record has in the column of back translations: a text or a list of texts.
    """
    translations = [translations] if isinstance(translations, str) else translations
    if not isinstance(translations, list) or len(translations) != len(captions):
        return {}
    return {
        caption: other
        for caption, other in zip(captions, translations, strict=True)
        if isinstance(other, str) and other.strip()
    }


def conflicts(entries: Iterable[ImageEntry]) -> Iterator[str]:
    """Find the images that entries give to different persons.

    Args:
        entries: Entries of any splits.

    Yields:
        A message for every entry that contradicts the first one of its image.
    """
    images: dict[str, ImageEntry] = {}
    for entry in entries:
        first = images.setdefault(entry.img_path, entry)
        if first.person_id != entry.person_id:
            yield (
                f'{first.where} and {entry.where}: the image {entry.img_path!r:.200} shows person '
                f'{first.person_id!r:.80} and person {entry.person_id!r:.80}. Correct one of them'
            )


def merge_images(entries: Sequence[ImageEntry]) -> list[ImageEntry]:
    """Give every image one entry, with the captions of all its entries in order.

    Args:
        entries: Entries of one split.

    Raises:
        ValueError: If two entries of an image name different persons.
    """
    for message in conflicts(entries):
        raise ValueError(message)
    images: dict[str, ImageEntry] = {}
    for entry in entries:
        first = images.setdefault(entry.img_path, entry)
        if first is not entry:
            images[entry.img_path] = first._replace(captions=first.captions + entry.captions)
    return list(images.values())


def drop_blank_captions(
    images: Sequence[ImageEntry], keep_uncaptioned: bool
) -> tuple[list[ImageEntry], list[ImageEntry]]:
    """Remove captions that consist of white space only.

    Args:
        images: Images of one split.
        keep_uncaptioned: Whether to keep images without captions, for instance for a gallery.

    Returns:
        The images to use, and those from which something was removed.
    """
    usable, blank = [], []
    for image in images:
        captions = [caption for caption in image.captions if caption and not caption.isspace()]
        whole = len(captions) == len(image.captions)
        useful = bool(captions) or keep_uncaptioned
        if useful:
            usable.append(image if whole else image._replace(captions=captions))
        if not (whole and useful):
            blank.append(image)
    return usable, blank


def sort_ids(ids: Iterable[int | str]) -> list[int | str]:
    """Sort identities without duplicates: integers as numbers, texts as texts, a mixture by its text."""
    unique = set(ids)
    if len({type(raw) for raw in unique}) > 1:
        return sorted(unique, key=lambda raw: (str(raw), type(raw).__name__))
    return sorted(unique)  # type: ignore[type-var]


def missing_images(folder: str, paths: Iterable[str]) -> list[str]:
    """Find the images that do not exist on the disk.

    Every folder is listed once, which is much faster on a network disk than one look-up per image.

    Args:
        folder: The image folder.
        paths: Image paths below it.

    Returns:
        The missing ones of ``paths``, in order.
    """
    listings: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        parent, name = posixpath.split(path)
        if parent not in listings:
            try:
                listings[parent] = set(os.listdir(os.path.join(folder, parent)))
            except OSError:
                listings[parent] = set()
        # A file system that ignores case finds names that a listing spells differently.
        if name not in listings[parent] and not (listings[parent] and os.path.exists(os.path.join(folder, path))):
            missing.append(path)
    return missing
