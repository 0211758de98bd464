"""Videos and folders of frames among what a user names."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmtbps.core.image_kinds import image_suffixes
from mmtbps.core.images import ADDRESS
from mmtbps.core.text import printable

from .frames import FrameFolder, FrameSource, VideoFile, natural_order

__all__ = ['VIDEO_SUFFIXES', 'find_sources']

VIDEO_SUFFIXES = frozenset({
    '.3gp', '.asf', '.avi', '.divx', '.dv', '.flv', '.gif', '.h264', '.h265', '.hevc', '.m2ts', '.m2v', '.m4v',
    '.mjpeg', '.mjpg', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.mts', '.mxf', '.ogv', '.ts', '.vob', '.webm', '.wmv',
})  # fmt: skip
"""Extensions of the files of a folder that are videos, in lower case; a file that is named itself may have any."""


def find_sources(
    paths: str | os.PathLike | Iterable[str | os.PathLike], out: str | os.PathLike, image_seconds: float
) -> list[FrameSource]:
    """Find videos, and folders of images, which are frames too.

    Folders are searched recursively, in the order of names, linked folders included (each real one once), without
    hidden files and without ``out``, whose images are crops. A folder that holds images is one source, each
    video another one.

    Args:
        paths: A video, a folder, or several of both.
        out: The folder of the crops.
        image_seconds: Time from one image of a folder to the next.

    Returns:
        Each source once.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If nothing is named, a folder holds neither videos nor images, or an image is named.
    """
    named = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not named:
        raise ValueError('sources is empty; name a video or a folder.')
    found: dict[str, FrameSource] = {}
    for path in [os.fspath(path) for path in named]:
        if os.path.isdir(path):
            inside = list(_inside(path, os.path.realpath(out), image_seconds))
            if not inside:
                raise ValueError(
                    f'The folder {printable(path)} holds neither videos nor images; videos end in '
                    f'{", ".join(sorted(VIDEO_SUFFIXES))}. A video of another name can be given itself.'
                )
        else:
            inside = [_file(path)]
        for source in inside:
            found.setdefault(source.path, source)
    return list(found.values())


def _file(path: str) -> FrameSource:
    if ADDRESS.match(path):
        raise FileNotFoundError(
            f'{path} is an address, not a file: only files of this machine are read. Download it first.'
        )
    if not os.path.isfile(path):
        raise FileNotFoundError(f'There is no video or folder {printable(path)}. Correct the path or leave it out.')
    if Path(path).suffix.lower() in image_suffixes() - VIDEO_SUFFIXES:
        raise ValueError(f'{printable(path)} is an image; name the folder of the frames.')
    return VideoFile(path)


def _inside(root: str, out: str, image_seconds: float) -> Iterator[FrameSource]:
    visited = {out}
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted((name for name in folders if not name.startswith('.')), key=natural_order)
        shown = sorted((name for name in files if not name.startswith('.')), key=natural_order)
        for name in shown:
            if Path(name).suffix.lower() in VIDEO_SUFFIXES:
                yield VideoFile(os.path.join(folder, name))
        images = [name for name in shown if Path(name).suffix.lower() in image_suffixes() - VIDEO_SUFFIXES]
        if images:
            yield FrameFolder(folder, images, image_seconds)
