"""Files of metrics, ``--out`` of a training or test."""

from collections.abc import Mapping
from pathlib import Path

__all__ = ['require_metrics_file', 'write_metrics']

_FORMATS = ('.json', '.yaml', '.yml', '.pkl')


def require_metrics_file(out: str | None) -> None:
    """Refuse a file that could not be written, before there are metrics to lose.

    Args:
        out: The file; None if there is to be none.

    Raises:
        ValueError: If its name has no format, or it is a folder.
    """
    if out and (Path(out).suffix not in _FORMATS or Path(out).is_dir()):
        raise ValueError(f'--out must be a file that ends in one of {", ".join(_FORMATS)}, got {out}.')


def write_metrics(metrics: Mapping[str, float], out: str) -> None:
    """Write metrics in the format that the name of the file says, whole or not at all."""
    from mmengine.fileio import dump

    from mmtbps.core.files import write_atomically

    content = dump(dict(metrics), file_format=Path(out).suffix.lstrip('.'))
    write_atomically(out, content if isinstance(content, bytes) else content.encode())
