"""Errors that explain a failed download of pretrained weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError

import torch
from mmengine.config import Config

__all__ = ['explained_downloads']


@contextmanager
def explained_downloads(cfg: Config) -> Iterator[None]:
    """Explain failed downloads of pretrained weights, for which MMEngine and torch report the network error only.

    Args:
        cfg: The config whose model is initialised, or whose ``load_from`` is read, in this context.

    Raises:
        FileNotFoundError: If a download fails; the message names the setting and what to do without network.
    """
    try:
        yield
    except URLError as error:
        remote = dict(_remote_weights({'model': cfg.get('model'), 'load_from': cfg.get('load_from')}))
        if not remote:
            raise
        settings = ', '.join(f'{key}={value!r}' for key, value in remote.items())
        raise FileNotFoundError(
            f'Weights could not be downloaded ({error}): {settings}. Without network, fetch the file elsewhere and put '
            f'it under its own name into {torch.hub.get_dir()}/checkpoints, or name a file with --cfg-options '
            f'{next(iter(remote))}=FILE.'
        ) from error


def _remote_weights(settings: Any, prefix: str = '') -> Iterator[tuple[str, str]]:
    """Find the settings of a config that name weights by a URL."""
    if isinstance(settings, str) and '://' in settings:
        yield prefix, settings
    elif isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _remote_weights(value, f'{prefix}.{key}' if prefix else key)
    elif isinstance(settings, list | tuple):
        for index, value in enumerate(settings):
            yield from _remote_weights(value, f'{prefix}.{index}')
