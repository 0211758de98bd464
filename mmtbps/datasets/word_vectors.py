"""Tables of word vectors on disk."""

import dataclasses
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from mmtbps.core.files import require_regular, write_atomically
from mmtbps.core.json_text import parse_json

__all__ = ['WordVectors', 'read_words']


@dataclasses.dataclass(frozen=True)
class WordVectors:
    """One vector per word, with the name of the text encoder that computed them.

    Args:
        words: Different words.
        vectors: (number of words, D), float32; row i belongs to word i.
        encoder: Name of the text encoder. Defaults to an empty string: unknown.
        encoder_hash: SHA-256 of the encoder's weights; vectors of different hashes cannot be compared. Defaults to an
            empty string: unknown.

    Raises:
        ValueError: If words and vectors do not fit together.
    """

    words: Sequence[str]
    vectors: Tensor
    encoder: str = ''
    encoder_hash: str = ''

    def __post_init__(self) -> None:
        if not all(isinstance(word, str) for word in self.words):
            raise ValueError('words must be texts')
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words):
            raise ValueError(
                f'a table of {len(self.words)} words needs as many vectors, but got shape {tuple(self.vectors.shape)}'
            )
        if len(set(self.words)) != len(self.words):
            twice = sorted({word for word in self.words if self.words.count(word) > 1})
            raise ValueError(f'words occur in the table more than once: {twice[:10]}')
        if not torch.isfinite(self.vectors).all():
            raise ValueError('there are vectors with infinite or undefined numbers')

    def save(self, path: str | os.PathLike) -> None:
        """Write the table atomically.

        Args:
            path: ``.npz`` (arrays ``words``, ``vectors``, ``encoder``, ``encoder_hash``) or ``.safetensors`` (tensor
                ``vectors``; the rest, ``words`` as JSON, in the metadata).

        Raises:
            ValueError: If the file has another extension.
        """
        dimension = str(self.vectors.shape[1])
        metadata: dict[str, Any] = dict(encoder=self.encoder, encoder_hash=self.encoder_hash, dimension=dimension)
        vectors = self.vectors.detach().cpu().float().contiguous()
        suffix = Path(path).suffix
        if suffix == '.npz':
            buffer = io.BytesIO()
            arrays: dict[str, Any] = dict(words=np.array(list(self.words), dtype=np.str_), vectors=vectors.numpy())
            np.savez(buffer, **arrays, **metadata)
            write_atomically(path, buffer.getvalue())
        elif suffix == '.safetensors':
            write_atomically(path, save({'vectors': vectors}, {'words': json.dumps(list(self.words)), **metadata}))
        else:
            raise ValueError(f'a word table is written as .npz or .safetensors, but got {path}')

    @classmethod
    def load(cls, path: str | os.PathLike, words: str | os.PathLike | None = None) -> 'WordVectors':
        """Read a table; nothing is unpickled.

        Args:
            path: File that :meth:`save` wrote, or a plain array ``.npy`` (number of words, D) such as
                ``clip_vocab_vit.npy`` of the published code of Han et al., BMVC 2021.
            words: For a plain array, the file with the word of every row, see :func:`read_words`. Defaults to None:
                the file contains its words.

        Raises:
            FileNotFoundError: If the table does not exist.
            ValueError: If it is damaged or has another format, or its words are missing.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f'There is no word table {path}; tools/dataset_tools/build_word_table.py creates one.'
            )
        if (path.suffix == '.npy') != (words is not None):
            raise ValueError(
                f'{path}: a plain array (.npy) needs a file with the word of every row, and other tables bring their '
                f'own words; words is {words}.'
            )
        try:
            if words is not None:
                array = np.load(path, allow_pickle=False)
                return cls(read_words(words), torch.from_numpy(array.astype(np.float32)))
            return cls._load_npz(path) if path.suffix == '.npz' else cls._load_safetensors(path)
        except Exception as error:  # readers raise errors of many kinds on damaged files
            raise ValueError(f'{path} is no word table: {error}. Make it again.') from error

    @classmethod
    def _load_npz(cls, path: Path) -> 'WordVectors':
        with np.load(path, allow_pickle=False) as arrays:
            words, vectors = arrays['words'].tolist(), torch.from_numpy(arrays['vectors'])
            return cls(words, vectors.float(), str(arrays['encoder']), str(arrays['encoder_hash']))

    @classmethod
    def _load_safetensors(cls, path: Path) -> 'WordVectors':
        with safe_open(path, 'pt') as file:
            metadata = file.metadata()
            vectors = file.get_tensor('vectors').float()
        return cls(parse_json(metadata['words']), vectors, metadata['encoder'], metadata['encoder_hash'])


def read_words(path: str | os.PathLike) -> list[str]:
    """Read a list of words: JSON (``.json``), or words separated by white space, such as one per line.

    Args:
        path: The file.

    Raises:
        OSError: If it is no regular file.
        ValueError: If a JSON file holds anything but a list of strings.
    """
    require_regular(path)
    text = Path(path).read_text(encoding='utf-8')
    if Path(path).suffix != '.json':
        return text.split()
    words = parse_json(text)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f'{path} does not hold a list of words')
    return words
