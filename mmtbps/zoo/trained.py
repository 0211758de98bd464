"""Folders of trainings as models."""

import shutil
from pathlib import Path

from mmtbps.core.files import written_atomically

from .home import model_files

__all__ = ['best_of', 'keep_training']


def best_of(folder: Path) -> tuple[Path, Path]:
    """Give the config and the best checkpoint of a training.

    Args:
        folder: Its work directory.

    Raises:
        FileNotFoundError: If it has none.
        ValueError: If it has several.
    """
    found = []
    for what, pattern in (('config', '*.py'), ('best checkpoint', 'best_*.pth')):
        files = sorted(folder.glob(pattern))
        if not files:
            raise FileNotFoundError(f'{folder} is no folder of a finished training: it has no {what} ({pattern}).')
        if len(files) > 1:
            names = ', '.join(file.name for file in files)
            raise ValueError(f'{folder} has several files {pattern}: {names}. Name the one to take.')
        found.append(files[0])
    return found[0], found[1]


def keep_training(name: str, folder: Path) -> None:
    """Copy config and best checkpoint of a training to where fetched models live.

    Raises:
        FileNotFoundError: If the folder has none.
        ValueError: If it has several.
    """
    for source, target in zip(best_of(folder), model_files(name), strict=True):
        with written_atomically(target) as file:
            shutil.copyfile(source, file)
