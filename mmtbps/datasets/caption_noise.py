"""Wrong captions on purpose, for studies of noisy correspondence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit

__all__ = ['add_caption_noise']

_WORDS = ('caption', 'back_translation')


def add_caption_noise(items: list[dict], noise: Mapping[str, Any]) -> list[dict]:
    """Exchange captions between pairs, which keep image and identity (noisy correspondence; Qin et al., CVPR 2024).

    Args:
        items: The pairs, each with a ``caption`` and perhaps its ``back_translation``.
        noise: ``rate``, the share of pairs whose captions are shuffled among themselves, and perhaps ``seed``; or
            ``file``, an ``.npy`` file with the pair that each pair has its caption from.

    Returns:
        The pairs with their new captions.

    Raises:
        ValueError: If ``noise`` is neither, or the file holds no permutation of the pairs.
    """
    try:
        sources = _sources(len(items), **noise)
    except TypeError as error:
        raise ValueError(
            f'caption_noise={dict(noise)}: {error}. Write dict(rate=0.2) or dict(file=NPY_FILE).'
        ) from error
    return [_with_words_of(item, items[source]) for item, source in zip(items, sources, strict=True)]


def _with_words_of(item: dict, source: dict) -> dict:
    """An item with the caption of another one, and its back translation if it has one."""
    kept = {key: value for key, value in item.items() if key not in _WORDS}
    return kept | {key: source[key] for key in _WORDS if key in source}


@checked(rate=in_unit)
def _sources(count: int, rate: float | None = None, seed: int = 0, file: str | None = None) -> list[int]:
    """The pair that each pair has its caption from."""
    if (rate is None) == (file is None):
        raise TypeError('rate or file is needed, not both')
    if file is not None:
        return _read(Path(file), count)
    rng = np.random.default_rng(seed)
    sources = np.arange(count)
    chosen = rng.choice(count, round((rate or 0.0) * count), replace=False)
    sources[chosen] = rng.permutation(chosen)
    return sources.tolist()


def _read(file: Path, count: int) -> list[int]:
    try:
        sources = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f'caption_noise: {file} cannot be read as an .npy file of whole numbers: {error}') from error
    if sources.shape != (count,) or not np.array_equal(np.sort(sources), np.arange(count)):
        raise ValueError(
            f'caption_noise: {file} is no permutation of the {count} pairs, 0 .. {count - 1}; it has the shape '
            f'{sources.shape}'
        )
    return [int(source) for source in sources]
