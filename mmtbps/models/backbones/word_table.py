"""Table of words that a text encoder has encoded."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.datasets.tokenizers import WordTokenizer
from mmtbps.datasets.word_vectors import WordVectors
from mmtbps.registry import MODELS

from .word_embedding import WordEmbedding

__all__ = ['WordTable']

_SPECIALS = (WordTokenizer.pad_token, WordTokenizer.unk_token)
"""The first entries of every vocabulary."""


@MODELS.register_module()
class WordTable(WordEmbedding):
    """Vectors of single words from a text encoder, frozen by default (Han et al., BMVC 2021).

    ``tools/dataset_tools/build_word_table.py`` writes the file. :class:`~mmtbps.engine.DatasetMetaHook` hands the
    words of the training set to :meth:`set_words` before the weights are initialised or loaded. From then on the
    vectors travel in checkpoints (and the words in their meta data), so a test needs neither file nor encoder.

    Args:
        vocab_size: Number of words. Configs leave it None; it is read from the training set's tokenizer.
        table: File of the table, see :meth:`WordVectors.load`.
        words: File with the words of a table that is a plain array. Defaults to None.
        embed_dims: Length of a word's vector; 512 is that of CLIP's ViT-B/32.
        encoder: Config of the text encoder that made the table, such as ``dict(type='CLIPWordVectorizer',
            checkpoint='openai')``, for words that the table lacks. Defaults to None: they have the vector of
            ``<unk>``, which is the table's own or else the mean of all words.
        pad_id: Id of the padding, whose vector is 0 and is not trained.
        frozen: Whether the vectors stay as they are. The paper's choice; False trains them from there.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the number of words is not known.
    """

    @checked(embed_dims=positive)
    def __init__(
        self,
        vocab_size: int | None,
        table: str,
        words: str | None = None,
        embed_dims: int = 512,
        encoder: Mapping[str, Any] | None = None,
        pad_id: int = 0,
        frozen: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(vocab_size, embed_dims, pad_id, frozen, init_cfg)
        self.table_file = table
        self.words_file = words
        self.encoder = encoder
        self.filled = False

    @torch.no_grad()
    def set_words(self, vocabulary: Sequence[str]) -> None:
        """Fill the rows with the vectors of the training set's words.

        Rows that have been filled before, by a call or by a checkpoint, stay: they may have been trained since.

        Args:
            vocabulary: The word of every row, ``<pad>`` and ``<unk>`` included.

        Raises:
            FileNotFoundError: If the table is not there.
            ValueError: If table, encoder and words do not fit together.
        """
        if self.filled:
            return
        source = WordVectors.load(self.table_file, self.words_file)
        weight = self.table.weight
        if (len(vocabulary), source.vectors.shape[1]) != weight.shape:
            raise ValueError(
                f'WordTable: the vocabulary has {len(vocabulary)} words and {self.table_file} vectors of '
                f'{source.vectors.shape[1]} numbers, but the model has {weight.shape[0]} rows of {weight.shape[1]}; '
                'set vocab_size=None, and embed_dims to that of the table'
            )
        known = dict(zip(source.words, source.vectors, strict=True))
        missing = [word for word in vocabulary if word not in known and word not in _SPECIALS]
        known.setdefault(WordTokenizer.unk_token, source.vectors.mean(0))
        if missing and self.encoder is not None:
            known.update(zip(missing, self._encode(missing, source), strict=True))
        unknown = known[WordTokenizer.unk_token]
        weight.copy_(torch.stack([known.get(word, unknown) for word in vocabulary]))
        if self.table.padding_idx is not None:
            weight[self.table.padding_idx] = 0
        self.filled = True
        rest = 'encoded now' if self.encoder is not None else f'set to {WordTokenizer.unk_token}'
        print_log(
            f'WordTable: {len(vocabulary) - len(missing) - len(_SPECIALS)} words from {self.table_file} '
            f'({source.encoder or "unknown encoder"}), {len(missing)} {rest}: {missing[:10]}',
            logger='current',
        )

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Look words up, see :meth:`WordEmbedding.forward`.

        Raises:
            RuntimeError: If the rows are still without words.
        """
        if not self.filled:
            raise RuntimeError(
                'WordTable has no words yet. Keep DatasetMetaHook in default_hooks, load a checkpoint, or call '
                "set_words(train_set.metainfo['vocabulary'])."
            )
        return super().forward(tokens, lengths)

    @torch.no_grad()
    def carry_over(self, rows: Tensor, stored_words: Sequence[str], words: Sequence[str]) -> Tensor:
        """Match the rows of a checkpoint by word, see :meth:`WordEmbedding.carry_over`.

        Frozen rows of both must be of one encoder. A word that only one of the two tables had (the other gave it the
        vector of ``<unk>``) has the vector of that one.

        Args:
            rows: The checkpoint's table, (number of its words, embed_dims).
            stored_words: The word of every row of the checkpoint.
            words: The word of every row of this table.

        Returns:
            A table for ``words``.

        Raises:
            ValueError: If the shapes do not fit, or frozen rows of words that both tables had differ.
        """
        if self.table.weight.requires_grad:
            return super().carry_over(rows, stored_words, words)
        unknown = rows[WordTokenizer.unk_id]
        lacks = (rows == unknown).all(1).tolist()
        kept = [index for index, word in enumerate(stored_words) if not lacks[index] or word in _SPECIALS]
        result = super().carry_over(rows[kept], [stored_words[index] for index in kept], words)
        own = self.table.weight.to(rows)
        own_lacks = (own == own[WordTokenizer.unk_id]).all(1)
        compared = ~own_lacks
        compared[: len(_SPECIALS)] = False
        self._demand_one_encoder(own[compared], result[compared])
        known = {stored_words[index] for index in kept}
        result[own_lacks & torch.tensor([word not in known for word in words], device=rows.device)] = unknown
        return result

    def _demand_one_encoder(self, own: Tensor, carried: Tensor) -> None:
        """Refuse rows of another encoder; machines differ by far less than one percent, encoders by more."""
        differ = (own - carried).norm(dim=1) > 0.01 * own.norm(dim=1)
        if differ.any():
            raise ValueError(
                f'WordTable: {int(differ.sum())} of {len(differ)} frozen words have other vectors in the checkpoint '
                f'than in {self.table_file}: they come from another encoder, or were trained. Take the table of the '
                'encoder that the checkpoint was trained with, or go on training its vectors with frozen=False'
            )

    def _encode(self, words: Sequence[str], source: WordVectors) -> Tensor:
        encoder = MODELS.build(self.encoder)
        if source.encoder_hash not in ('', encoder.hash):
            raise ValueError(
                f'WordTable: {self.table_file} was made by another encoder ({source.encoder}, '
                f'{source.encoder_hash[:12]}) than the one of the config ({encoder.name}, {encoder.hash[:12]}); their '
                'vectors do not belong together'
            )
        return encoder.encode(words)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Note that the rows have come from a checkpoint."""
        super()._load_from_state_dict(state_dict, prefix, *args)
        # MMEngine loads non-strictly: rows of another vocabulary are reported by their number and left out.
        stored = state_dict.get(f'{prefix}table.weight')
        self.filled = self.filled or (stored is not None and stored.shape == self.table.weight.shape)
