"""One folder, one run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ['sole_run']

_LOCK = '.run.lock'


@contextmanager
def sole_run(work_dir: str | os.PathLike, resumed_from: str | os.PathLike | None = None) -> Iterator[None]:
    """Keep a run's folder for it: refuse one that holds another run, and keep other processes out meanwhile.

    Args:
        work_dir: The folder.
        resumed_from: The checkpoint that the run goes on from. Defaults to None: it is a new run.

    Raises:
        FileExistsError: If the folder has checkpoints of another run.
        RuntimeError: If another process is training there.
    """
    if _rank() != 0:  # the first one speaks for all
        yield
        return
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RuntimeError(
            f'Another process is training in {work_dir}. Wait for it, or name another folder (--work-dir).'
        ) from error
    try:
        _require_own(folder, resumed_from)
        yield
    finally:
        lock.release()
        _remove_if_unused(folder)


def _remove_if_unused(folder: Path) -> None:
    """Leave nothing behind if the run was refused before it wrote anything."""
    if [path.name for path in folder.iterdir()] == [_LOCK]:
        (folder / _LOCK).unlink()
        folder.rmdir()


def _rank() -> int:
    """Number of this process as its launcher gives it: the processes may not know each other yet."""
    names = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
    return int(next((os.environ[name] for name in names if name in os.environ), 0))


def _require_own(folder: Path, resumed_from: str | os.PathLike | None) -> None:
    found = sorted(path.name for path in folder.glob('*.pth'))
    own = resumed_from is not None and Path(resumed_from).absolute().parent == folder.absolute()
    if found and not own:
        raise FileExistsError(
            f'{folder} holds another run ({", ".join(found[:3])}). Go on with it (--resume), name another folder '
            '(--work-dir), or move it away.'
        )
