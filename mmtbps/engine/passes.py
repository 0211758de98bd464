"""Passes over the training data under a loop of iterations, which MMEngine takes for one endless epoch."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from mmengine.dataset import InfiniteSampler

from mmtbps.datasets.base import SHOWING, TBPSDataset
from mmtbps.datasets.joining import WrappedDataset

__all__ = ['Passes']


class Passes:
    """Endless batches, in passes that are what epochs are to a loop of epochs.

    MMEngine's own iterator tells the sampler alone where a new pass begins, so that every image is augmented in the
    same way each time. A sampler without an end (``InfiniteSampler``) has no passes; the indices that it gives are
    counted on (item i comes as i, i + SHOWING, ...), which data sets of ours read as further showings.

    Args:
        loader: The data loader.
        begin: Called with the number of each pass, counted from 0, before its first batch.
        skipped: Batches that a run which is resumed has trained on, and which the loop passes over. Defaults to 0;
            whole passes of them are not loaded, and of a sampler without an end none.

    Attributes:
        fresh: Whether the last batch was the first one of its pass.
    """

    def __init__(self, loader: Any, begin: Callable[[int], None], skipped: int = 0) -> None:
        self._loader, self._begin = loader, begin
        self._number, self._unread, self._within = 0, 0, False
        sampler = getattr(loader, 'sampler', None)
        if isinstance(sampler, InfiniteSampler):
            ours = isinstance(loader.dataset, TBPSDataset | WrappedDataset)
            self._unread = skipped if loader.batch_size else 0  # a batch sampler of one's own may have no size
            loader.batch_sampler.sampler = _CountedOn(
                sampler, len(loader.dataset), SHOWING if ours else 0, self._unread * (loader.batch_size or 0)
            )
            self._within = self._unread > 0
        elif skipped:
            self._number, rest = divmod(skipped, len(loader))
            self._unread = skipped - rest
        self._batches: Iterator[Any] | None = None
        self.fresh = False

    def __iter__(self) -> 'Passes':
        return self

    def __next__(self) -> Any:
        if self._unread:
            self._unread -= 1
            return None
        if self._batches is not None:
            try:
                self.fresh = False
                return next(self._batches)
            except StopIteration:
                self._number += 1
        self.fresh = not self._within
        self._begin(self._number)
        self._batches = iter(self._loader)
        return next(self._batches)


class _CountedOn:
    """An endless sampler whose indices tell how often the data set was gone through, without the first ones."""

    def __init__(self, sampler: InfiniteSampler, length: int, step: int, skipped: int) -> None:
        self._sampler, self._length, self._step, self._skipped = sampler, length, step, skipped

    def __iter__(self) -> Iterator[int]:
        world = self._sampler.world_size
        # Not iter(sampler), of which MMEngine's iterator has taken the first indices.
        indices = islice(self._sampler._indices_of_rank(), self._skipped, None)
        for position, index in enumerate(indices, self._skipped):
            yield index + (position * world + self._sampler.rank) // self._length * self._step

    def __len__(self) -> int:
        return len(self._sampler)
