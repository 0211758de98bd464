"""Writing of converted checkpoints: whole, with their configs, and over nothing that is somebody else's."""

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mmtbps.core.files import write_atomically, written_atomically

__all__ = ['CONFIG_HEAD', 'require_place', 'write_checkpoint', 'write_pair']

CONFIG_HEAD = '# {file} (SHA-256 {sha256}), layout {layout}, by {converter}.\n'
"""First line of a config that a conversion writes."""

_HEAD = re.compile(r'# .* \(SHA-256 [0-9a-f]{64}\), layout [\w-]+, by mmtbps .*')


def require_place(target: Path, sources: Sequence[str | Path], config: Path | None = None) -> None:
    """Refuse to write over what is read, over a config that no conversion has written, or where a folder is.

    Args:
        target: The checkpoint to write.
        sources: Files that are read.
        config: The config to write beside it. Defaults to None: there is none.

    Raises:
        ValueError: If something is there that must stay.
    """
    for source in sources:
        if target.exists() and Path(source).exists() and target.samefile(source):
            raise ValueError(f'{target} is the file to read; give the result another name, so that both stay.')
    for path in (target, config):
        if path is not None and path.is_dir():
            raise ValueError(f'{path} is a folder; give the result another name.')
    if config is not None and config.exists() and not _is_ours(config):
        raise ValueError(
            f'The config of {target.name} would replace {config}, which no conversion has written; give the checkpoint '
            'another name.'
        )


def write_pair(target: Path, content: dict[str, Any], config: Path, text: str) -> None:
    """Write a checkpoint and its config, both or none.

    Raises:
        OSError: If they cannot be written.
    """
    with written_atomically(target) as file:
        _save(file, content)
        write_atomically(config, text.encode())


def write_checkpoint(target: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint.

    Raises:
        OSError: If it cannot be written.
    """
    with written_atomically(target) as file:
        _save(file, content)


def _is_ours(config: Path) -> bool:
    with open(config, encoding='utf-8', errors='replace') as file:
        return _HEAD.fullmatch(file.readline().rstrip('\n')) is not None


def _save(file: Path, content: dict[str, Any]) -> None:
    with open(file, 'wb') as stream:  # a path would become part of the content
        try:
            torch.save(content, stream)
        except RuntimeError as error:  # torch's on a full disk
            raise OSError(errno.EIO, str(error).partition('. ')[0]) from error
