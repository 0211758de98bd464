"""The base of all data sets for text-based person search."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine import fileio
from mmengine.dataset import BaseDataset, force_full_init

from mmtbps.core.arguments import checked
from mmtbps.core.checks import finite
from mmtbps.registry import TOKENIZER

from . import annotation
from .annotation import ImageEntry
from .caption_noise import add_caption_noise
from .identities import two_kinds
from .item_rng import ItemRNG
from .places import nested_hint, require_images, with_slashes
from .tokenizers import Tokenizer

__all__ = ['SHOWING', 'TBPSDataset']

SHOWING = 1 << 32
"""What is added to the position of an item, and to the number of its random numbers, for each further showing."""


class TBPSDataset(BaseDataset):
    """Base class of data sets: images of pedestrians, each with an identity and sentences that describe it.

    In training (``test_mode=False``) an item is one *image-caption pair*::

        dict(img_path=str, image_id=int, person_id=int, caption=str)

    In evaluation (``test_mode=True``) an item is one *unique image with all its captions*, so that every image is
    encoded once; an image without captions belongs to the gallery only::

        dict(img_path=str, image_id=int, person_id=int, captions=list[str])

    ``image_id`` counts the images of the split in the order of the annotation. ``person_id`` runs from 0 to
    ``num_classes - 1`` in the order of the sorted raw identities; it does not depend on the order of the annotation,
    the process or the hash seed. Identities and vocabulary are those of the whole split, also when ``indices`` keep a
    part of it.

    A subclass names the keys of its annotation in ``keys``, or overrides :meth:`parse`.

    The random numbers of the pipeline are a function of (seed, epoch, item), see :meth:`set_epoch`. A pipeline that
    returns None is an error, since drawing another item instead would hide a broken image.

    Args:
        ann_file: Annotation file, below ``data_root`` unless absolute.
        data_root: Folder of the data set. Defaults to an empty string: paths are relative to the working folder.
        split: 'train', 'val' or 'test'. Defaults to 'train'.
        data_prefix: ``img_path`` is the folder, below ``data_root`` unless absolute, that the image paths of the
            annotation are relative to. Defaults to ``dict(img_path='imgs')``, the layout of CUHK-PEDES.
        tokenizer: Config for the registry ``TOKENIZER``, or a tokenizer. A training set fits it to its captions unless
            it has a vocabulary; other sets get the words of the training set by :meth:`set_vocabulary`. Defaults to
            ``dict(type='WordTokenizer')``, the words that CUHK-PEDES publishes.
        pipeline: Transforms; they find the tokenizer in ``results['tokenizer']``. Defaults to none.
        test_mode: Whether items are images with all their captions instead of pairs. Defaults to False.
        check_images: Whether to check once that every image exists, by listing folders (well below a second for
            CUHK-PEDES), instead of failing in the middle of an epoch. Set it to False for images that are not on the
            local disk. Defaults to True.
        caption_noise: Exchange captions between training pairs on purpose: ``dict(rate=0.2, seed=0)`` shuffles those
            of a fifth among themselves, ``dict(file=...)`` reads a permutation from an ``.npy`` file. Defaults to None.
        metainfo: Further meta information. Defaults to None.
        filter_cfg: For subclasses that override ``filter_data``. Defaults to None.
        indices: Keep only the first (last, if negative) items, or the listed ones. Defaults to None: all.
        serialize_data: Whether to store items as one block of bytes that workers share. Defaults to True.
        lazy_init: Whether to read the annotation only when it is needed. Defaults to False.

    Raises:
        FileNotFoundError: If the annotation or images are missing.
        ValueError: If an argument or the annotation is invalid; the message names file, entry and remedy.
    """

    ann_file: str
    keys: Mapping[str, str] = {'img_path': 'file_path', 'person_id': 'id', 'captions': 'captions', 'split': 'split'}
    """Keys of image path, identity, captions and split in a record of the annotation."""

    back_translation_key: str = 'captions_bt'
    """Key of back translations, one for each caption; a record may lack it. Training items then have
    ``back_translation``, for :class:`~mmtbps.datasets.BackTranslate`."""

    annotation_help: str = ''
    """Expected format and origin of the annotation; appended to errors about a missing or invalid file."""

    statistics: Mapping[str, tuple[int, int, int]] = {}
    """Published numbers of identities, images and captions of each split, if there are any."""

    @checked(indices=finite)
    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        split: str = 'train',
        data_prefix: Mapping[str, str] = {'img_path': 'imgs'},
        tokenizer: Mapping[str, Any] | Tokenizer = {'type': 'WordTokenizer'},  # noqa: B006 - never changed
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        check_images: bool = True,
        caption_noise: Mapping[str, Any] | None = None,
        metainfo: Mapping | None = None,
        filter_cfg: dict | None = None,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
    ) -> None:
        if set(data_prefix) != {'img_path'}:
            raise ValueError(f"data_prefix needs exactly the key 'img_path', but got {dict(data_prefix)}.")
        if filter_cfg is not None and type(self).filter_data is BaseDataset.filter_data:
            raise ValueError(
                f'{type(self).__name__} has no filter, so filter_cfg={filter_cfg} would do nothing. Override '
                '`filter_data` in a subclass, or use `indices`.'
            )
        self.split = annotation.check_split(split)
        self.check_images = check_images
        if caption_noise is not None and test_mode:
            raise ValueError('caption_noise is for training: a test_mode=True set keeps its captions.')
        self.caption_noise = caption_noise
        self.tokenizer = TOKENIZER.build(dict(tokenizer)) if isinstance(tokenizer, Mapping) else tokenizer
        self._rng = ItemRNG()
        self._person_ids: np.ndarray | None = None
        self._back_translations: dict[tuple[str, str], dict[str, str]] = {}  # by image and caption
        self._rejected: list[str] | None = None
        super().__init__(
            ann_file=ann_file,
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=dict(data_prefix),
            filter_cfg=filter_cfg,
            indices=indices,
            serialize_data=serialize_data,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_raw(self) -> Any:
        """Read the annotation file; the default reads JSON and keeps the keys of ``keys``."""
        return annotation.load_json(self.ann_file, [*self.keys.values(), self.back_translation_key])

    def parse(self, raw: Any) -> Iterable[ImageEntry]:
        """Convert the content of the annotation file to entries of all splits.

        Args:
            raw: Result of :meth:`load_raw`; the default expects a list of objects.

        Returns:
            One entry per image, or several, which are merged.

        Raises:
            ValueError: If the content is invalid.
        """
        if not isinstance(raw, list):
            raise self.annotation_error(f'a list of entries is expected, but got {type(raw).__name__}')
        return self.parse_records((f'entry {index}', record) for index, record in enumerate(raw))

    def parse_records(self, records: Iterable[tuple[str, Any]], split: str | None = None) -> Iterator[ImageEntry]:
        """Check records one by one.

        Args:
            records: Place in the file and record of each.
            split: Split of all records. Defaults to None: each record names it.

        Yields:
            The entry of each record.
        """
        for where, record in records:
            try:
                entry = annotation.parse_entry(record, self.keys, where, split)
            except ValueError as error:
                self.reject(f'{where}: {error}', error)
                continue
            translations = annotation.back_translations(entry.captions, record.get(self.back_translation_key))
            for caption, text in translations.items():
                self._back_translations[_with_slashes(entry.img_path), caption] = dict(back_translation=text)
            yield entry

    @property
    def has_all_splits(self) -> bool:
        """Whether the annotation tells of all splits, instead of one alone."""
        return 'split' in self.keys

    def read_entries(self) -> list[ImageEntry]:
        """Read the entries of all splits, in the order of the annotation file.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If its content is invalid.
        """
        if not fileio.exists(self.ann_file):
            hint = nested_hint(os.path.dirname(self.ann_file) or '.', [os.path.basename(self.ann_file)])
            parts = [f'{self.ann_file} does not exist.', hint, self.annotation_help]
            raise FileNotFoundError(' '.join(part for part in parts if part))
        return with_slashes(self.data_prefix['img_path'], list(self.parse(self.load_raw())))

    def read_captions(self) -> Iterator[str]:
        """Read the captions of the split that are not blank, and nothing else; for words of several data sets."""
        for entry in self.read_entries():
            if entry.split == self.split:
                yield from (caption for caption in entry.captions if caption.strip())

    def check_entries(self) -> tuple[list[ImageEntry], list[str]]:
        """Read the entries of all splits and list invalid ones instead of stopping at the first.

        Returns:
            The valid entries, and a message for the first error of every other one. If the file as a whole cannot be
            read, there are no entries and one message.
        """
        self._rejected = []
        try:
            return self.read_entries(), self._rejected
        except (FileNotFoundError, ValueError) as error:
            return [], [*self._rejected, str(error)]
        finally:
            self._rejected = None

    def reject(self, message: str, cause: Exception | None = None, with_help: bool = True) -> None:
        """Report an invalid part of the annotation: raise an error, or add a message during :meth:`check_entries`.

        Args:
            message: The place in the file and the error.
            cause: The exception that found it. Defaults to None.
            with_help: Whether the expected format is part of the error. Defaults to True.

        Raises:
            ValueError: Unless :meth:`check_entries` is running.
        """
        error = self.annotation_error(message, with_help)
        if self._rejected is None:
            raise error from cause
        self._rejected.append(str(error))

    def annotation_error(self, message: str, with_help: bool = True) -> ValueError:
        """Create an error about the annotation that names the file and, unless it is beside the point, its format."""
        return ValueError(f'{self.ann_file}: {message}. {self.annotation_help if with_help else ""}'.strip())

    def load_data_list(self) -> list[dict]:
        """Read the split and create its items; a training set also fits its tokenizer."""
        entries = self.read_entries()
        for message in two_kinds(entries):
            raise self.annotation_error(message)
        chosen = [entry for entry in entries if entry.split == self.split]
        if not chosen:
            found = sorted({entry.split for entry in entries})
            raise self.annotation_error(f'no entries of the split {self.split!r}; it has the splits {found}')
        try:
            images = annotation.merge_images(chosen)
        except ValueError as error:
            raise self.annotation_error(str(error)) from error
        images = self._usable(images)
        raw_ids = annotation.sort_ids(image.person_id for image in images)
        classes = {raw: index for index, raw in enumerate(raw_ids)}
        self._num_classes = len(raw_ids)
        self._num_images = len(images)
        if not self.test_mode:
            self._metainfo['person_ids'] = raw_ids
            if self.tokenizer.vocabulary is None:
                self.tokenizer.fit(caption for image in images for caption in image.captions)
        self._tell_long_captions(images)
        items = [item for index, image in enumerate(images) for item in self._items(index, image, classes)]
        return items if self.caption_noise is None else add_caption_noise(items, self.caption_noise)

    def _usable(self, images: Sequence[ImageEntry]) -> list[ImageEntry]:
        """Remove blank captions, and in training images without captions; check that the images exist."""
        usable, blank = annotation.drop_blank_captions(images, keep_uncaptioned=self.test_mode)
        if blank:
            warnings.warn(
                f'{self.ann_file}: {len(blank)} images of the split {self.split!r} lack a caption or have blank ones '
                f'(the first: {blank[0].where}). Blank captions are ignored, and so are the '
                f'{len(images) - len(usable)} images without other captions. mmtbps verify '
                'lists them.',
                stacklevel=2,
            )
        if not usable:
            raise self.annotation_error(f'every caption of the split {self.split!r} is blank')
        if self.check_images:
            require_images(self.data_prefix['img_path'], [image.img_path for image in usable])
        return usable

    def _tell_long_captions(self, images: Sequence[ImageEntry]) -> None:
        """Count the captions of which the tokenizer cuts something off."""
        long = [image for image in images for caption in image.captions if self.tokenizer.excess(caption)]
        if long:
            warnings.warn(
                f'{self.ann_file}: {len(long)} captions of the split {self.split!r} are longer than {self.tokenizer} '
                f'reads (the first: {long[0].where}); the rest of them is not used.',
                stacklevel=2,
            )

    def _items(self, image_id: int, image: ImageEntry, classes: Mapping[int | str, int]) -> list[dict]:
        """Create the items of an image: one per caption in training, a single one in evaluation."""
        item = {
            'img_path': os.path.join(self.data_prefix['img_path'], image.img_path),
            'image_id': image_id,
            'person_id': classes[image.person_id],
        }
        if self.test_mode:
            return [dict(item, captions=image.captions)]
        path = _with_slashes(image.img_path)
        return [
            dict(item, caption=caption) | self._back_translations.get((path, caption), {}) for caption in image.captions
        ]

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on an item, with random numbers that depend only on (seed, epoch, item).

        Args:
            idx: Position of the item; with ``n * SHOWING`` added it is the n-th further showing of the item, with
                random numbers of its own.

        Raises:
            RuntimeError: If the pipeline returns None.
        """
        shown, idx = divmod(idx, SHOWING) if idx >= SHOWING else (0, idx)
        info = self.get_data_info(idx)
        return self.load_item(info, info['sample_idx'] + shown * SHOWING)

    def load_item(self, info: Mapping[str, Any], draw: int) -> Any:
        """Run the pipeline on what is known of an item, which may be part of a larger whole.

        Args:
            info: What :meth:`get_data_info` returned.
            draw: Number of the random numbers, other ones for each number.

        Raises:
            RuntimeError: If the pipeline returns None.
        """
        with self._rng.item(draw):
            packed = self.pipeline(dict(info, tokenizer=self.tokenizer))
        if packed is None:
            raise RuntimeError(
                f'The pipeline returned nothing for item {info["sample_idx"]} ({info["img_path"]}). Repair or '
                'remove the image; mmtbps verify lists all broken ones.'
            )
        return packed

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Set the epoch that determines the pipeline's random numbers, also for workers that are already running.

        Args:
            epoch: Epoch, counted from 0.
            seed: Seed of the run. Defaults to None: unchanged (0 at first).
        """
        self._rng.set(epoch, seed)

    @property
    def person_ids(self) -> np.ndarray:
        """The ``person_id`` of every item, shape (len(self),), int64; reads no image."""
        if self._person_ids is None:
            ids = (self.get_data_info(index)['person_id'] for index in range(len(self)))
            self._person_ids = np.fromiter(ids, dtype=np.int64, count=len(self))
        return self._person_ids

    def get_cat_ids(self, idx: int) -> list[int]:
        """Identity of an item, for MMEngine's ``ClassBalancedDataset``."""
        return [int(self.person_ids[idx])]

    @property
    @force_full_init
    def num_classes(self) -> int:
        """Number of identities of the split."""
        return self._num_classes

    @property
    @force_full_init
    def num_images(self) -> int:
        """Number of images of the split."""
        return self._num_images

    @property
    def metainfo(self) -> dict:
        """Meta information; a training set adds ``person_ids``, the raw identity of every class.

        A tokenizer with a vocabulary adds ``vocabulary``, the word of every id. Both are stored in checkpoints.
        """
        metainfo = super().metainfo
        vocabulary = self.tokenizer.vocabulary
        return metainfo if vocabulary is None else dict(metainfo, vocabulary=vocabulary)

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep only some items, see :meth:`mmengine.dataset.BaseDataset.get_subset_`."""
        super().get_subset_(indices)
        self._person_ids = None

    def _copy_without_annotation(self, memo: dict | None = None) -> 'TBPSDataset':
        # MMEngine's default memo outlives the call, and a second copy would share its parts with the first.
        other = super()._copy_without_annotation({} if memo is None else memo)
        other._person_ids = None
        return other

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """Set the vocabulary of the tokenizer to that of the training set; call it before workers start.

        Args:
            words: ``metainfo['vocabulary']`` of the training set.
        """
        self.tokenizer.set_vocabulary(words)


def _with_slashes(path: str) -> str:
    """A path as it is known before and after those of Windows are read."""
    return path.replace('\\', '/')
