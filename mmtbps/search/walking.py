"""Folders of images: every file once, linked folders included, and a count of what is no image."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mmtbps.core.image_kinds import image_suffixes
from mmtbps.core.text import one_line

__all__ = ['DEAD_LINK', 'Walk', 'walk_images']

DEAD_LINK = 'a link that leads nowhere'
_MOST_NAMED = 20


@dataclass
class Walk:
    """What a folder holds.

    Attributes:
        images: Paths of its images in alphabetical order, the files of a folder before its folders.
        others: How many files are no image that can be read, by extension, and how many are hidden.
        unseen: Folders and files inside it that could not be looked into, with the reason.
    """

    images: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    unseen: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f'{count} {kind}' for kind, count in sorted(self.others.items())]
        lines = [f'not read, since no image: {", ".join(parts)}'] if parts else []
        unseen = [f'not looked into: {one_line(path)} ({reason})' for path, reason in sorted(self.unseen.items())]
        further = len(unseen) - _MOST_NAMED
        return '\n'.join([*lines, *unseen[:_MOST_NAMED], *([f'... and {further} more'] if further > 0 else [])])


def walk_images(root: str | Path) -> Walk:
    """Search a folder recursively for images.

    Links to folders are followed after all else, so that what is in the folder itself keeps its own path; each real
    folder is looked into once, so that links in a circle end. Hidden files and folders are left out.

    Args:
        root: The folder.

    Returns:
        The images, and a count of the rest.
    """
    visited: set[str] = set()
    walk, links = Walk(), [str(root)]
    while links:
        start = links.pop(0)
        real = os.path.realpath(start)
        if real in visited:
            continue
        visited.add(real)
        for path in _files(start, links, visited, walk):
            name = os.path.basename(path)
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith('.'):
                walk.others['hidden'] += 1
            elif suffix in image_suffixes():
                walk.images.append(path)
            else:
                walk.others[one_line(suffix) or 'without extension'] += 1
    walk.images.sort(key=_order)
    return walk


def _files(start: str, links: list[str], visited: set[str], walk: Walk) -> Iterator[str]:
    """Files below a folder; links to further folders are put off."""

    def refused(error: OSError) -> None:
        walk.unseen[str(error.filename)] = error.strerror or type(error).__name__

    for folder, folders, files in os.walk(start, onerror=refused):
        entered = []
        for name in sorted(folders):
            path = os.path.join(folder, name)
            if name.startswith('.'):
                walk.others['hidden folders'] += 1
            elif os.path.islink(path):
                links.append(path)
            elif (real := os.path.realpath(path)) not in visited:
                visited.add(real)
                entered.append(name)
        folders[:] = entered
        for name in files:
            path = os.path.join(folder, name)
            if os.path.splitext(name)[1].lower() not in image_suffixes() and not os.path.exists(path):
                walk.unseen[path] = DEAD_LINK
            else:
                yield path


def _order(path: str) -> list[tuple[bool, str]]:
    *folders, name = path.split(os.sep)
    return [*((True, folder) for folder in folders), (False, name)]
