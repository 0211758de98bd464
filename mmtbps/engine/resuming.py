"""Where a run can be resumed."""

import os
from pathlib import Path
from shlex import quote

from mmengine.runner.checkpoint import CheckpointLoader

from mmtbps.core.checkpoint import load_checkpoint_file, newest_good

__all__ = ['describe_resumption', 'find_resumable', 'load_files_safely']


def find_resumable(work_dir: str | os.PathLike) -> tuple[Path | None, str]:
    """Find the checkpoint from which the run of a folder goes on.

    The file ``last_checkpoint`` is a hint and never believed over the folder: it may be empty, stale or that of a
    folder that was moved or copied. Where it names a file elsewhere (``out_dir`` of the CheckpointHook), that folder
    counts too, unless it is another run's.

    Args:
        work_dir: The run's folder.

    Returns:
        The newest whole checkpoint with an optimizer's state, or None; and a sentence for the log, '' if nothing is
        worth telling.
    """
    folder = Path(work_dir)
    pointer = _read_pointer(folder)
    named = Path(pointer or '')
    of_another = named.is_file() and _is_another_run(named.parent, folder)
    elsewhere = named.parent if named.is_file() and not of_another else folder
    candidates = {path.absolute(): path for place in (elsewhere, folder) for path in sorted(place.glob('*.pth'))}
    found = newest_good(candidates.values(), resumable=True)
    others = sorted(path.name for path in folder.glob('best_*.pth'))
    if found is None:
        damaged = sorted(path.name for path in folder.glob('*.pth') if path.name not in others)
        hint = f' {", ".join(damaged)} cannot be read or have no state of a training.' if damaged else ''
        if others:
            hint += f' It has {", ".join(others)}, which hold weights alone: start a new run from them with load_from.'
        if of_another:
            resume = f'--resume {quote(str(named))}'
            hint += f' Its last_checkpoint names a file of another run, from which {resume} goes on here.'
        return None, f'{folder} holds no checkpoint to resume from.{hint}'
    if pointer is None or named.name == found.name:
        return found, ''
    return found, f'last_checkpoint names {pointer}, but the newest whole checkpoint is {found.name}.'


def describe_resumption(work_dir: str | os.PathLike) -> str:
    """Say how the run of a folder can be gone on with, for someone who has interrupted it."""
    found, note = find_resumable(work_dir)
    return note if found is None else f'To go on from {found.name}, add: --resume --work-dir {quote(str(work_dir))}'


def _is_another_run(place: Path, folder: Path) -> bool:
    return (place / 'last_checkpoint').exists() and place.resolve() != folder.resolve()


def _read_pointer(folder: Path) -> str | None:
    """What ``last_checkpoint`` says, or None if there is no such file."""
    try:
        return (folder / 'last_checkpoint').read_bytes().decode('utf-8', 'replace').strip() or 'nothing'
    except OSError:
        return None


def load_files_safely() -> None:
    """Let all of MMEngine's loading go through our reader: checksums compared, nothing unsafe unpickled."""
    CheckpointLoader.register_scheme(
        prefixes='',
        loader=lambda filename, map_location=None: load_checkpoint_file(os.path.expanduser(filename), map_location),
        force=True,
    )
