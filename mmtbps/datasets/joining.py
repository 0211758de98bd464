"""Several data sets as one, and one several times over.

They stand in for MMEngine's wrappers of the same names, which know nothing of identities, words and epochs.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import mmengine.dataset
import numpy as np
from torch.utils.data import Dataset

from mmtbps.core.arguments import checked
from mmtbps.core.checks import above_zero, positive
from mmtbps.registry import DATASETS

from .base import SHOWING, TBPSDataset

__all__ = ['ClassBalancedDataset', 'ConcatDataset', 'RepeatDataset', 'WrappedDataset', 'leaf_configs', 'with_leaves']

_SET = 1 << 40
"""Distance of the seeds of data sets that are joined."""


class WrappedDataset(Dataset, ABC):
    """Base class of data sets that are made of others, with the face of :class:`TBPSDataset`.

    Args:
        datasets: The parts: configs for the registry ``DATASETS``, or data sets.

    Raises:
        TypeError: If a part is no ``TBPSDataset``, nor wraps one.
        ValueError: If there is no part, or parts disagree in ``test_mode`` or tokenizer.
    """

    repeats = False
    """Whether items are shown several times in an epoch, which only a training may do."""

    def __init__(self, datasets: Sequence[Any]) -> None:
        if not datasets:
            raise ValueError(f'{type(self).__name__} needs at least one data set.')
        # Words are those of all parts together: a part must not choose its own first.
        self.datasets = [_build(part, type(self).__name__) for part in datasets]
        self._agree('test_mode', (leaf.test_mode for leaf in self.leaves))
        self._agree('tokenizer', (type(leaf.tokenizer).__name__ for leaf in self.leaves))
        self._share_words()
        if self.test_mode and self.repeats:
            raise ValueError(
                f'{type(self).__name__} repeats items, which in an evaluation would be several images and captions. '
                'Give its data set itself.'
            )
        for part in self.datasets:
            part.full_init()
        self._ends = np.cumsum([len(part) for part in self.datasets])

    @abstractmethod
    def place(self, index: int) -> tuple[int, int, int]:
        """Where an item is: the number of its part, its position there, and how often it was shown before."""

    @property
    def leaves(self) -> list[TBPSDataset]:
        """The data sets at the bottom."""
        return [
            leaf for part in self.datasets for leaf in (part.leaves if isinstance(part, WrappedDataset) else [part])
        ]

    def locate(self, index: int) -> tuple[TBPSDataset, dict[str, Any], int]:
        """Find an item.

        Args:
            index: Its position.

        Returns:
            The data set that has it, its information as part of the whole, and the number of its random numbers.
        """
        number, inner, shown = self.place(index)
        part = self.datasets[number]
        if isinstance(part, WrappedDataset):
            leaf, info, draw = part.locate(inner)
        else:
            leaf, info = part, part.get_data_info(inner)
            draw = info['sample_idx']
        return leaf, dict(info, sample_idx=index, **self._shift(number, info)), draw + shown * SHOWING

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Information of an item, see :meth:`TBPSDataset.get_data_info`."""
        return self.locate(idx)[1]

    def __getitem__(self, index: int) -> Any:
        shown, index = divmod(index, SHOWING)  # as in TBPSDataset
        if index >= len(self):
            raise IndexError(f'There is no item {index} among {len(self)}.')  # which ends loops over the items
        leaf, info, draw = self.locate(index)
        return leaf.load_item(info, draw + shown * len(self) * SHOWING)

    @property
    def person_ids(self) -> np.ndarray:
        """The ``person_id`` of every item, shape (len(self),), int64."""
        return np.array([self.get_data_info(index)['person_id'] for index in range(len(self))], dtype=np.int64)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Identity of an item."""
        return [int(self.get_data_info(idx)['person_id'])]

    @property
    def num_classes(self) -> int:
        """Number of identities."""
        return sum(part.num_classes for part in self.datasets)

    @property
    def num_images(self) -> int:
        """Number of images."""
        return sum(part.num_images for part in self.datasets)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, which all parts share."""
        return self.leaves[0].tokenizer

    @property
    def test_mode(self) -> bool:
        """Whether items are images with all their captions."""
        return self.leaves[0].test_mode

    @property
    def split(self) -> str:
        """Split of the parts, or splits."""
        return ' + '.join(dict.fromkeys(leaf.split for leaf in self.leaves))

    @property
    def ann_file(self) -> str:
        """Annotation files, for messages."""
        return ' + '.join(dict.fromkeys(leaf.ann_file for leaf in self.leaves))

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information, see :attr:`TBPSDataset.metainfo`."""
        return self.datasets[0].metainfo

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Set the epoch of all parts, each with a seed of its own; see :meth:`TBPSDataset.set_epoch`."""
        for number, part in enumerate(self.datasets):
            part.set_epoch(epoch, None if seed is None else seed + number * _SET)

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """Set the words, see :meth:`TBPSDataset.set_vocabulary`."""
        self.tokenizer.set_vocabulary(words)

    def full_init(self) -> None:
        """Do nothing: all is read when it is built."""

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _shift(self, number: int, info: Mapping[str, Any]) -> dict[str, Any]:
        """What is another number in the whole than in part ``number``."""
        return {}

    def _agree(self, what: str, values: Iterable[Any]) -> None:
        different = list(dict.fromkeys(values))
        if len(different) > 1:
            raise ValueError(f'{type(self).__name__}: the data sets differ in {what}: {different}. Give all the same.')

    def _share_words(self) -> None:
        shared = next((leaf.tokenizer for leaf in self.leaves if leaf.tokenizer.vocabulary is not None), self.tokenizer)
        if not self.test_mode and shared.vocabulary is None:
            shared.fit(caption for leaf in self.leaves for caption in leaf.read_captions())
        for leaf in self.leaves:
            if leaf.tokenizer.vocabulary not in (None, shared.vocabulary):
                raise ValueError(
                    f'{type(self).__name__}: {leaf.ann_file} has other words than {self.leaves[0].ann_file}. Give '
                    'configs, or data sets with lazy_init=True, so that words are collected from all.'
                )
            leaf.tokenizer = shared


@DATASETS.register_module()
class ConcatDataset(WrappedDataset):
    """Several data sets one behind the other, for joint training, or for an evaluation of each.

    Identities and images are counted on: person 0 of the second data set follows the last one of the first, whatever
    the annotations call them. One vocabulary has the words of all. In evaluation, items carry the name of their data
    set, by which :class:`~mmtbps.evaluation.TBPSMetric` reports each on its own, with their mean; a data set inside a
    further ConcatDataset is called ``name/its name``.

    Args:
        datasets: Configs for the registry ``DATASETS``, or data sets.
        names: A name for each in tables and in ``metainfo['person_ids']``. Defaults to None: those of
            ``metainfo['dataset']``, numbered where they are the same.

    Raises:
        TypeError: If a part is no ``TBPSDataset``, nor wraps one.
        ValueError: If there is no part, parts disagree in ``test_mode`` or tokenizer, or names are not as many as data
            sets and all different.
    """

    @checked()
    def __init__(self, datasets: Sequence[Any], names: Sequence[str] | None = None) -> None:
        super().__init__(datasets)
        self.names = self._default_names() if names is None else list(names)
        if len(set(self.names)) != len(self.datasets):
            raise ValueError(
                f'ConcatDataset: names must be {len(self.datasets)} different ones, one for each data set, got '
                f'{self.names}.'
            )
        self._persons = np.cumsum([0, *(part.num_classes for part in self.datasets)])
        self._images = np.cumsum([0, *(part.num_images for part in self.datasets)])

    def place(self, index: int) -> tuple[int, int, int]:
        """Where an item is, see :meth:`WrappedDataset.place`."""
        number = bisect_right(self._ends, index)
        return number, index - (int(self._ends[number - 1]) if number else 0), 0

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information; identities are written ``name/raw identity``."""
        parts = [part.metainfo for part in self.datasets]
        persons = [
            f'{name}/{person}' for name, part in zip(self.names, parts, strict=True) for person in part['person_ids']
        ] if all('person_ids' in part for part in parts) else None  # fmt: skip
        return dict(parts[0], dataset=' + '.join(self.names), **({} if persons is None else {'person_ids': persons}))

    def _shift(self, number: int, info: Mapping[str, Any]) -> dict[str, Any]:
        inner = info.get('data_set')  # of a part that is itself made of several
        return dict(
            person_id=info['person_id'] + int(self._persons[number]),
            image_id=info['image_id'] + int(self._images[number]),
            data_set=self.names[number] if inner is None else f'{self.names[number]}/{inner}',
        )

    def _default_names(self) -> list[str]:
        found = [str(part.metainfo.get('dataset') or type(part).__name__) for part in self.datasets]
        return [
            name if found.count(name) == 1 else f'{name} {found[: number + 1].count(name)}'
            for number, name in enumerate(found)
        ]


@DATASETS.register_module()
class RepeatDataset(WrappedDataset):
    """A data set several times over, each time with other augmentation: longer epochs.

    Args:
        dataset: A config for the registry ``DATASETS``, or a data set.
        times: Number of times.

    Raises:
        TypeError: If it is no ``TBPSDataset``, nor wraps one.
        ValueError: If ``times`` is below 1, or the data set is one for an evaluation.
    """

    repeats = True

    @checked(times=positive)
    def __init__(self, dataset: Any, times: int) -> None:
        super().__init__([dataset])
        self._ends = self._ends * times

    def place(self, index: int) -> tuple[int, int, int]:
        """Where an item is, see :meth:`WrappedDataset.place`."""
        shown, inner = divmod(index, len(self.datasets[0]))
        return 0, inner, shown


@DATASETS.register_module()
class ClassBalancedDataset(WrappedDataset):
    """A data set in which items of rare identities are repeated, as MMEngine's class of this name repeats them.

    Args:
        dataset: A config for the registry ``DATASETS``, or a data set.
        oversample_thr: Share of the items below which an identity is rare.

    Raises:
        TypeError: If it is no ``TBPSDataset``, nor wraps one.
        ValueError: If ``oversample_thr`` is not above 0, or the data set is one for an evaluation.
    """

    repeats = True

    @checked(oversample_thr=above_zero)
    def __init__(self, dataset: Any, oversample_thr: float) -> None:
        super().__init__([dataset])
        factors = mmengine.dataset.ClassBalancedDataset._get_repeat_factors(  # it needs nothing of its own but this
            _Counted(self.datasets[0]), self.datasets[0], oversample_thr
        )
        times = np.ceil(factors).astype(int)
        self._inner = np.repeat(np.arange(len(times)), times)
        self._shown = np.arange(len(self._inner)) - np.repeat(np.cumsum(times) - times, times)
        self._ends = np.array([len(self._inner)])

    def place(self, index: int) -> tuple[int, int, int]:
        """Where an item is, see :meth:`WrappedDataset.place`."""
        return 0, int(self._inner[index]), int(self._shown[index])


class _Counted:
    """What MMEngine's repeat factors read."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset


def leaf_configs(config: Any) -> Iterator[dict]:
    """Find the configs of data sets below wrappers such as ``ConcatDataset``.

    Args:
        config: Config of a data set, a list of such, or None.

    Yields:
        The configs, not copies.
    """
    if isinstance(config, list | tuple):
        for part in config:
            yield from leaf_configs(part)
    elif config and ('dataset' in config or 'datasets' in config):
        yield from leaf_configs(config.get('dataset') or config.get('datasets'))
    elif config:
        yield config


def with_leaves(config: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    """Copy the config of a data set with other settings, below wrappers too.

    Args:
        config: The config.
        **settings: Settings of each data set.
    """
    wrapped = {key: config[key] for key in ('dataset', 'datasets') if config.get(key)}
    if not wrapped:
        return dict(config, **settings)
    inner = {
        key: [with_leaves(part, **settings) for part in value]
        if isinstance(value, list | tuple)
        else with_leaves(value, **settings)
        for key, value in wrapped.items()
    }
    return dict(config, **inner)


def _build(part: Any, wrapper: str) -> TBPSDataset | WrappedDataset:
    if isinstance(part, Mapping):
        lazy = {} if 'dataset' in part or 'datasets' in part else {'lazy_init': True}
        part = DATASETS.build(dict(part, **lazy))
    if not isinstance(part, TBPSDataset | WrappedDataset):
        raise TypeError(
            f'{wrapper}: a {type(part).__name__} has no identities and captions; derive it from TBPSDataset, and wrap '
            'by ConcatDataset, RepeatDataset or ClassBalancedDataset of mmtbps.datasets.'
        )
    return part
