"""Folders of trainings as models."""

import re
import shutil
from pathlib import Path

from mmtbps.core.files import written_atomically

from .config_files import load_config
from .home import model_files

__all__ = ['best_of', 'config_of', 'keep_training', 'newer_training']


_LAST = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


def best_of(folder: Path) -> tuple[Path, Path]:
    """Give the config and the best checkpoint of a training, or its last one if it had no validation.

    A conversion writes config and weights of one name, which are taken as well.

    Args:
        folder: The work directory, or the folder of the conversion.

    Raises:
        FileNotFoundError: If it has none.
        ValueError: If it has several.
    """
    config = config_of(folder)
    if (converted := config.with_suffix('.pth')).is_file():
        return config, converted
    last = _last_without_validation(folder, config)
    return config, last or _sole(folder, 'best checkpoint', 'best_*.pth')


def config_of(folder: Path) -> Path:
    """Give the config of a training.

    Raises:
        FileNotFoundError: If the folder has none.
        ValueError: If it has several.
    """
    return _sole(folder, 'config', '*.py')


def _sole(folder: Path, what: str, pattern: str) -> Path:
    files = sorted(folder.glob(pattern))
    if not files:
        raise FileNotFoundError(f'{folder} is no folder of a finished training: it has no {what} ({pattern}).')
    if len(files) > 1:
        names = ', '.join(file.name for file in files)
        option = ' by --checkpoint' if pattern.endswith('.pth') else ''
        raise ValueError(f'{folder} has several files {pattern}: {names}. Name the one to take{option}.')
    return files[0]


def _last_without_validation(folder: Path, config: Path) -> Path | None:
    """The last checkpoint of a training that chose no best one, since its config has no validation."""
    files = {int(match[1]): file for file in folder.glob('*.pth') if (match := _LAST.fullmatch(file.name))}
    chosen = any(folder.glob('best_*.pth')) or not files or load_config(config).get('val_cfg') is not None
    return None if chosen else files[max(files)]


def newer_training(name: str, folder: Path) -> tuple[Path, Path] | None:
    """Config and weights of a training, if it ended after its model was stored; None if there is none to take.

    Args:
        name: Name of the stored model, which may not be there.
        folder: The work directory.
    """
    stored = model_files(name)[1]
    try:
        found = best_of(folder)
    except (FileNotFoundError, ValueError):
        if stored.is_file():
            return None
        raise
    return None if stored.is_file() and stored.stat().st_mtime >= found[1].stat().st_mtime else found


def keep_training(name: str, folder: Path) -> None:
    """Copy config and best checkpoint of a training to where fetched models live.

    Raises:
        FileNotFoundError: If the folder has none.
        ValueError: If it has several.
    """
    for source, target in zip(best_of(folder), model_files(name), strict=True):
        with written_atomically(target) as file:
            shutil.copyfile(source, file)
