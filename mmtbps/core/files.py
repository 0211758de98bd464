"""Files that are whole: written at once or not at all, told apart by their digest."""

import hashlib
import os
import tempfile
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

__all__ = ['AtomicLocalBackend', 'file_sha256', 'write_atomically']


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Write ``content`` so that ``path`` holds either its old content or all of the new one, even after a kill."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f'.{path.name}.', dir=path.parent)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes private files
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
