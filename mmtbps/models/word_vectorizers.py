"""Text encoders that turn single words into vectors."""

import hashlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero, positive
from mmtbps.core.terminal import progress_bar
from mmtbps.datasets.clip_tokenizer import CLIPTokenizer
from mmtbps.datasets.word_vectors import WordVectors
from mmtbps.registry import MODELS

from .clip.pretrained import CLIPPretrainedInit
from .clip.text_transformer import CLIPTextTransformer

__all__ = ['CLIPWordVectorizer', 'SentenceTransformerWordVectorizer', 'WordVectorizer']


class WordVectorizer(ABC):
    """A text encoder that makes one vector of every word, the word being the whole text.

    Attributes:
        name: What the encoder is called in the tables that it makes.
        network: The network, whose weights identify the encoder.
        batch_size: Words at a time.
    """

    name: str
    network: Any
    batch_size: int

    @abstractmethod
    def batches(self, words: Sequence[str]) -> Sequence[tuple[Sequence[int], Any]]:
        """Plan which words (by position) are encoded together, each batch with what :meth:`encode_batch` takes."""

    @abstractmethod
    def encode_batch(self, batch: Any) -> Tensor:
        """Encode the words of a batch, as (number of words, D)."""

    def encode(self, words: Sequence[str], progress: bool = False) -> Tensor:
        """Encode words.

        Args:
            words: Any number of words.
            progress: Whether to show a progress bar on the error stream.

        Returns:
            (number of words, D), float32, in the order of the words.
        """
        plan = self.batches(words)
        vectors: list[Tensor] = [torch.empty(0)] * len(words)
        batches = progress_bar(len(plan), 'words', iterable=plan, disable=None if progress else True)
        with torch.inference_mode():
            for indices, batch in batches:
                rows = self.encode_batch(batch).float().cpu()
                for index, row in zip(indices, rows, strict=True):
                    vectors[index] = row
        return torch.stack(vectors) if vectors else torch.empty(0, 0)

    def build_table(self, words: Sequence[str], progress: bool = False) -> WordVectors:
        """Make the table of the words, see :meth:`encode`."""
        return WordVectors(list(words), self.encode(words, progress), self.name, self.hash)

    @property
    def hash(self) -> str:
        """SHA-256 of names and values of all weights, whatever file they came from."""
        digest = hashlib.sha256()
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


@MODELS.register_module()
class CLIPWordVectorizer(WordVectorizer):
    """The text tower of CLIP (Radford et al., ICML 2021): the feature of a word alone, projected, not normalised.

    Words are grouped by their number of tokens, so that no padding is computed: the tower is causal, hence a word of
    four tokens needs four positions, not 77.

    Args:
        checkpoint: File or tag of open_clip, see :class:`~mmtbps.models.CLIPPretrainedInit`.
        arch: Name of open_clip's model, or sizes of the text tower. Han et al., BMVC 2021, take ViT-B/32.
        quick_gelu: Activation of weights that do not say which one they need.
        batch_size: Words at a time.
    """

    @checked(batch_size=positive)
    def __init__(
        self,
        checkpoint: str,
        arch: str | Mapping[str, Any] = 'ViT-B-32',
        quick_gelu: bool = False,
        batch_size: int = 256,
    ) -> None:
        self.network = CLIPTextTransformer(arch, quick_gelu=quick_gelu).eval()
        CLIPPretrainedInit(checkpoint)(self.network)
        self.tokenizer = CLIPTokenizer(self.network.context_length)
        self.batch_size = batch_size
        self.name = f'CLIP {arch if isinstance(arch, str) else "text tower"} {Path(checkpoint).name}'

    def batches(self, words: Sequence[str]) -> list[tuple[list[int], Tensor]]:
        """Plan batches of words of equal length in tokens, with their tokens."""
        rows = [self.tokenizer.encode(word) for word in words]
        groups: dict[int, list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            groups[len(row)].append(index)
        size = self.batch_size
        parts = [
            group[start : start + size] for _, group in sorted(groups.items()) for start in range(0, len(group), size)
        ]
        return [(part, torch.tensor([rows[index] for index in part])) for part in parts]

    def encode_batch(self, batch: Tensor) -> Tensor:
        """Encode words of equal length from their tokens (number of words, L)."""
        return self.network.encode_words(batch)


@MODELS.register_module()
class SentenceTransformerWordVectorizer(WordVectorizer):
    """A folder of the package sentence-transformers (Reimers and Gurevych, EMNLP 2019).

    Args:
        folder: The model's folder; nothing is downloaded.
        batch_size: Words at a time.
        scale: Factor on the vectors. Many of these models give D numbers of length 1, tiny ones; a factor of sqrt(D)
            makes them as large as those of a random table, for which recurrent networks are initialised. Defaults to
            1.

    Raises:
        FileNotFoundError: If there is no such folder.
        ImportError: If the package is not installed.
    """

    @checked(batch_size=positive, scale=above_zero)
    def __init__(self, folder: str, batch_size: int = 256, scale: float = 1.0) -> None:
        if not Path(folder).is_dir():
            raise FileNotFoundError(f'There is no folder {folder!r} of a sentence-transformers model.')
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ImportError(
                'SentenceTransformerWordVectorizer needs a package that is not installed. Run: python -m pip install '
                'sentence-transformers'
            ) from error
        self.network = SentenceTransformer(folder, device='cpu', local_files_only=True)
        self.batch_size = batch_size
        self.scale = scale
        self.name = f'sentence-transformers {Path(folder).resolve().name}'

    def batches(self, words: Sequence[str]) -> list[tuple[range, list[str]]]:
        """Plan batches in the order of the words; the package pads and masks by itself."""
        size = self.batch_size
        parts = [range(start, min(start + size, len(words))) for start in range(0, len(words), size)]
        return [(part, [words[index] for index in part]) for part in parts]

    def encode_batch(self, batch: Sequence[str]) -> Tensor:
        """Encode words."""
        vectors = self.network.encode(
            list(batch), batch_size=len(batch), convert_to_tensor=True, show_progress_bar=False
        )
        return self.scale * vectors
