"""Files that are whole: written at once or not at all, told apart by their digest."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

__all__ = [
    'AtomicLocalBackend',
    'file_inside',
    'file_sha256',
    'remove_leftovers',
    'require_regular',
    'sync_folder',
    'write_atomically',
    'written_atomically',
]

_UNFINISHED = '.unfinished'


@contextmanager
def written_atomically(path: str | os.PathLike) -> Iterator[Path]:
    """Name a file for others to write, which then becomes ``path`` in one step, even after a kill.

    The content is on the disk when the name is changed, and the name when this returns. What a kill leaves behind is
    removed by :func:`remove_leftovers`.

    Raises:
        OSError: If the file cannot be written: the disk is full, the folder cannot be written to, the path is a folder.
    """
    path = Path(path)
    with _told(path), _beside(path) as temporary:
        yield temporary


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Name the file that was to be written, instead of the one beside it or none."""
    try:
        yield
    except OSError as error:
        told = str(error.filename or _UNFINISHED)
        if error.errno is None or not (told.endswith(_UNFINISHED) or Path(told) in path.parents):
            raise  # of another file, or told already
        raise type(error)(
            f'{path} cannot be written: {error.strerror}. Name a file in a folder that you may write to and that has '
            'room.'
        ) from error


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f'.{path.name}.', suffix=_UNFINISHED, dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, 'rb') as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes private files
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Write ``content`` so that ``path`` has its old content or all of the new; see :func:`written_atomically`."""
    with written_atomically(path) as temporary:
        temporary.write_bytes(content)


def sync_folder(folder: str | os.PathLike) -> None:
    """Wait until the names in a folder are on the disk; nothing to do where folders cannot be opened (Windows)."""
    if not hasattr(os, 'O_DIRECTORY'):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems know no such thing
        pass
    finally:
        os.close(descriptor)


def remove_leftovers(folder: str | os.PathLike) -> list[str]:
    """Remove what writes that were killed have left in a folder; nobody may be writing there.

    Args:
        folder: The folder itself; those inside it are not looked at.

    Returns:
        Names of the removed files.
    """
    found = sorted(Path(folder).glob(f'.*{_UNFINISHED}'))
    for path in found:
        path.unlink(missing_ok=True)
    return [path.name for path in found]


def file_inside(folder: str | os.PathLike, name: object, source: str) -> Path:
    """Give the file that data name in their own folder; it need not exist.

    Args:
        folder: The folder.
        name: What the data say, a path relative to the folder.
        source: Where they say it, for the message.

    Raises:
        ValueError: If the file is not in the folder: absolute paths, ``..`` and links to other places are refused.
    """
    if isinstance(name, str) and name and '\0' not in name and not Path(name).is_absolute():
        path = Path(folder) / name
        if '..' not in path.relative_to(folder).parts and path.resolve().is_relative_to(Path(folder).resolve()):
            return path
    raise ValueError(f'{source} names the file {name!r}, which is not in the folder {folder}; such files are not read.')


def require_regular(path: str | os.PathLike) -> None:
    """Refuse what is there but is no regular file, such as ``/dev/zero``, whose reading may never end.

    Args:
        path: The path; what is not there, or in another storage, is left to whoever reads it.

    Raises:
        OSError: If it is a folder, a device, a pipe or a socket.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        kind = 'a folder' if os.path.isdir(path) else 'a device, pipe or socket'
        raise OSError(f'{os.fspath(path)} is {kind}, not a file. Name a file.')


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


@register_backend('atomic_local', force=True)
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, written atomically: ``CheckpointHook(backend_args=dict(backend='atomic_local'))``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to ``filepath``; see :func:`write_atomically`."""
        write_atomically(filepath, obj)
