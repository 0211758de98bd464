"""Configs by their names."""

import difflib
from pathlib import Path

from mmengine.config import Config

from mmtbps.core.own_modules import own_modules

from .config_files import load_config, load_inherited

__all__ = ['named_configs', 'read_config', 'study_file']

_CONFIGS = Path(__file__).parents[1] / '.mim' / 'configs'


def named_configs() -> dict[str, Path]:
    """Files of the configs of this library by name, such as ``cm-moco_tiny_toypedes``."""
    return {path.stem: path for path in sorted(_CONFIGS.glob('[a-z]*/*.py'))}


def read_config(name: str | Path) -> Config:
    """Read a config file, one of an installed package, one of this library, or that of a published model.

    Args:
        name: A path; ``package::path``, such as ``mmtbps::_base_/datasets/cuhk_pedes.py``; or a name of
            :func:`mmtbps.list_models`, with which the weights of a published model are fetched too.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no config, or its code fails; see :func:`mmtbps.zoo.config_files.load_config`.
    """
    with own_modules():  # of custom_imports
        return _read(str(name))


def _read(text: str) -> Config:
    from .models import is_model, require_named  # which needs this file

    if '::' in text:
        return load_inherited(text)
    if Path(text).is_file():
        _refuse_table(Path(text))
        return load_config(text)
    if text in named_configs():
        return load_config(named_configs()[text])
    if is_model(text):
        return load_config(require_named(text)[0])
    near = difflib.get_close_matches(Path(text).stem, named_configs(), 1)
    hint = f'Did you mean {near[0]}?' if near else 'mmtbps models lists those that have a name.'
    raise FileNotFoundError(f'There is no config {text}. {hint}')


def _refuse_table(file: Path) -> None:
    """Refuse data of one's own where a config is expected."""
    is_list = file.suffix == '.json' and file.read_bytes().lstrip().startswith(b'[')
    if is_list or file.suffix in ('.csv', '.jsonl', '.tsv'):
        kind = ' A table is CSV or JSONL, an object a line.' if file.suffix in ('.json', '.tsv') else ''
        raise ValueError(f'{file} is no config.{kind} Your own table is trained on by: mmtbps train --data TABLE')


def study_file(name: str) -> Path:
    """Find the file of a study.

    Args:
        name: A path; the name of a study of this library, such as ``queue_size``; or
            ``mmtbps::_studies_/queue_size.py``.

    Raises:
        FileNotFoundError: If there is none.
    """
    studies = _CONFIGS / '_studies_'
    inside = _CONFIGS / name.removeprefix('mmtbps::')
    for path in (Path(name), studies / f'{name}.py', inside):
        if path.is_file():
            return path
    names = sorted(path.stem for path in studies.glob('*.py'))
    near = difflib.get_close_matches(Path(name).stem, names, 1)
    hint = f'Did you mean {near[0]}?' if near else f'There are {", ".join(names)}.'
    raise FileNotFoundError(f'There is no study {name}. {hint}')
