"""Models by name: published ones, ours by their configs' names, folders of trainings."""

import difflib
import hashlib
import os
from pathlib import Path

from mmtbps.converters.descriptions import configs_beside
from mmtbps.converters.reading import find_file
from mmtbps.core.files import file_sha256

from .configs import named_configs
from .entries import Entry
from .fetching import convert_into, require_fetched, sole_writer
from .home import known_entries, model_files
from .open_clip_names import entry_of_tag, split_name
from .trained import best_of, newer_training

__all__ = ['is_model', 'require_named', 'weights_named']

_WORK_DIRS = Path('work_dirs')
_FOLDER = 'local-dir:'
"""How open_clip begins the name of a folder with weights and their config."""


def is_model(name: str) -> bool:
    """Whether :func:`require_named` knows a name; it may fail to get the weights all the same."""
    return (
        '@' in name
        or name.startswith(_FOLDER)
        or name in known_entries()
        or name in named_configs()
        or Path(name).is_dir()
    )


def require_named(name: str) -> tuple[Path, Path]:
    """Give config and weights of a model, which are fetched if need be.

    Args:
        name: A name of :func:`mmtbps.list_models`; one of open_clip's models with a tag, a file or a folder, such as
            ``clip-vit-b16@laion2b_s34b_b88k``; ``local-dir:FOLDER`` as open_clip has it; or the folder of a training.
            The name of one of our configs stands for the training in ``work_dirs``.

    Returns:
        Files of the config and of the weights.

    Raises:
        FileNotFoundError: If there are none, or they cannot be fetched; says what to do.
        ValueError: If the name is unknown, or the weights are not what they should be.
    """
    entries = known_entries()
    if name.startswith(_FOLDER):
        return _of_file(name, 'local-dir', name)
    if '@' in name:
        return _of_open_clip(name)
    if name in entries:
        entry = entries[name]
        if entry.work_dir is not None:
            return _newest(entry, Path(entry.work_dir))
        return require_fetched(entry)
    if Path(name).is_dir():
        return best_of(Path(name))
    if name in named_configs():
        return _trained(name, _WORK_DIRS / name, None)
    if os.sep in name:
        raise FileNotFoundError(f'There is no folder {name} of a training.')
    known = [*entries, *named_configs()]
    near = difflib.get_close_matches(name, known, 1)
    hint = f'Did you mean {near[0]}?' if near else 'mmtbps models lists all.'
    raise ValueError(f'There is no model {name!r}. {hint}')


def weights_named(text: str) -> str:
    """Give the file of the weights that ``load_from`` of a config names, fetched if need be.

    Args:
        text: The name of a published model, or a file or an address, which stays as it is.
    """
    named = text in known_entries() or text.startswith(_FOLDER) or ('@' in text and '://' not in text)
    return str(require_named(text)[1]) if named and not Path(text).is_file() else text


def _is_here(name: str) -> bool:
    return all(file.is_file() for file in model_files(name))


def _newest(entry: Entry, folder: Path) -> tuple[Path, Path]:
    """The stored model, or a training that ended since."""
    if not folder.is_dir() and _is_here(entry.name):
        return model_files(entry.name)
    found = newer_training(entry.name, folder) if folder.is_dir() else _trained(entry.name, folder, entry.page)
    return found or model_files(entry.name)


def _trained(name: str, folder: Path, page: str | None) -> tuple[Path, Path]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f'No weights of {name} are published, and there is no training of it in {folder}. '
            f'{page or "Train it, or give its checkpoint"}.'
        )
    return best_of(folder)


def _of_open_clip(name: str) -> tuple[Path, Path]:
    model, what = split_name(name)
    if not (what.startswith(_FOLDER) or Path(what).exists()):
        return require_fetched(entry_of_tag(name, model, what))
    return _of_file(name, name.partition('@')[0], what, f'model={model}')


def _of_file(name: str, start: str, source: str, *options: str) -> tuple[Path, Path]:
    """Convert a file of open_clip or transformers, once; its digest and that of the config beside it name the model."""
    try:
        file = find_file(source)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{name!r}: {error}') from error
    digests = [file_sha256(part) for part in (file, *configs_beside(file))]
    digest = digests[0] if len(digests) == 1 else hashlib.sha256(''.join(digests).encode()).hexdigest()
    entry = Entry(f'{start}@{digest[:12]}', f'CLIP {start} of {file.name}', 'clip', options=options)
    config, weights = model_files(entry.name)
    if _is_here(entry.name):  # the folder may be read-only
        return config, weights
    with sole_writer(entry.name):
        if not _is_here(entry.name):
            try:
                convert_into(entry, file)
            except ValueError as error:
                raise ValueError(_without_options(name, file, str(error))) from error
    return config, weights


def _without_options(name: str, file: Path, message: str) -> str:
    """Tell where the options can be given that a message asks for: a name has none."""
    if '--option' not in message:
        return f'{name!r}: {message}'
    return (
        f'{name!r}: {message} A name takes no options: convert the file first, mmtbps convert {file} model.pth '
        '--option ..., and name --config model.py --checkpoint model.pth.'
    )
