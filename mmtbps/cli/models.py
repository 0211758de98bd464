"""``mmtbps models``: everything that has a name."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmtbps.zoo import Entry

__all__ = ['models']


def models(pattern: str = '*', /) -> None:
    """List published models and the names of our configs.

    Of each model: size, licence, figures and whether it is here. Every name is taken by --model and --config.

    For example:

        mmtbps models
        mmtbps models "irra*"

    Args:
        pattern: Names to list, such as `irra*`.
    """
    import fnmatch
    import textwrap

    from mmtbps.zoo import CLIP_NOTICE, known_entries, named_configs

    entries = [entry for name, entry in known_entries().items() if fnmatch.fnmatch(name, pattern)]
    for entry in entries:
        print(_describe(entry))
    if entries:
        print(textwrap.fill(f'{CLIP_NOTICE} Who trained chose the best epoch on test splits.', 100))
    configs = [name for name in named_configs() if fnmatch.fnmatch(name, pattern)]
    if configs:
        print('\nConfigs, for trainings in work_dirs/NAME:')
        print('\n'.join(f'  {name}' for name in configs))
    if not entries and not configs:
        raise ValueError(f'No model or config is called {pattern!r}; without a pattern all are listed.')


def _describe(entry: 'Entry') -> str:
    """Write an entry in a few lines."""
    folder = _where(entry)
    size = f'{entry.size / 1e9:.2f} GB' if entry.size else 'size unknown'
    get = _how_to_get(entry) if folder is None else f'here, in {folder}'
    lines = [
        f'{entry.name}: {entry.title}',
        f'    {size}; licence of the code: {entry.code_licence}, of the weights: {entry.weights_licence}',
        f'    {get}',
    ]
    for what, figures in (('R@1 trained on', entry.published), ('R@1 without training on', entry.transfer)):
        if figures:
            shown = ', '.join(f'{name} {figure:.2f}' for name, figure in figures.items())
            lines.append(f'    {what} {shown} ({entry.source})')
    return '\n'.join(lines)


def _where(entry: 'Entry') -> Path | None:
    """Folder of the weights, if they are here."""
    from mmtbps.zoo import model_files

    if all(file.is_file() for file in model_files(entry.name)):
        return model_files(entry.name)[1].parent
    trained = entry.work_dir is not None and any(Path(entry.work_dir).glob('best_*.pth'))
    return Path(str(entry.work_dir)) if trained else None


def _how_to_get(entry: 'Entry') -> str:
    """What to do for weights that are not here."""
    from mmtbps.zoo import home

    if entry.work_dir is not None:
        return f'{entry.page}, into {entry.work_dir}'
    if entry.address is not None:
        verified = 'verified' if entry.sha256 else 'not verified'
        return f'not here; mmtbps fetch {entry.name} gets it ({verified}) into {home()}'
    return f'open {entry.page}, then mmtbps fetch {entry.name} --file PATH'
