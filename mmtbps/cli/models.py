"""``mmtbps models``: everything that has a name."""

import argparse
import fnmatch
import textwrap
from pathlib import Path

from mmtbps.core.commands import EPILOG
from mmtbps.zoo import CLIP_NOTICE, Entry, home, known_entries, model_files, named_configs

__all__ = ['main']


def main(argv: list[str] | None = None, prog: str | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog=prog, epilog=EPILOG,
        description='List published models with size, licence, figures and whether they are here, and the names of our '
        'configs. Every name is taken by --model and --config.',
    )  # fmt: skip
    parser.add_argument('pattern', nargs='?', default='*', help="names to list, such as 'irra*' (default: all)")
    args = parser.parse_args(argv)
    entries = [entry for name, entry in known_entries().items() if fnmatch.fnmatch(name, args.pattern)]
    for entry in entries:
        print(describe(entry))
    if entries:
        print(textwrap.fill(f'{CLIP_NOTICE} Who trained chose the best epoch on test splits.', 100))
    configs = [name for name in named_configs() if fnmatch.fnmatch(name, args.pattern)]
    if configs:
        print('\nConfigs, for trainings in work_dirs/NAME:')
        print('\n'.join(f'  {name}' for name in configs))
    if not entries and not configs:
        raise ValueError(f'No model or config is called {args.pattern!r}; without a pattern all are listed.')


def describe(entry: Entry) -> str:
    """Write an entry in a few lines."""
    folder = where(entry)
    size = f'{entry.size / 1e9:.2f} GB' if entry.size else 'size unknown'
    get = how_to_get(entry) if folder is None else f'here, in {folder}'
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


def where(entry: Entry) -> Path | None:
    """Folder of the weights, if they are here."""
    if all(file.is_file() for file in model_files(entry.name)):
        return model_files(entry.name)[1].parent
    trained = entry.work_dir is not None and any(Path(entry.work_dir).glob('best_*.pth'))
    return Path(str(entry.work_dir)) if trained else None


def how_to_get(entry: Entry) -> str:
    """What to do for weights that are not here."""
    if entry.work_dir is not None:
        return f'{entry.page}, into {entry.work_dir}'
    if entry.address is not None:
        verified = 'verified' if entry.sha256 else 'not verified'
        return f'mmtbps fetch {entry.name} ({verified}, into {home()})'
    return f'open {entry.page}, then mmtbps fetch {entry.name} --file PATH'
