"""Queues of momentum keys."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmtbps.core.arguments import checked
from mmtbps.core.distributed import gather
from mmtbps.registry import MODELS

__all__ = ['CrossModalQueue']

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@MODELS.register_module()
class CrossModalQueue(nn.Module):
    """Ring of the latest image keys, text keys and identities (CM-MoCo; Han et al., BMVC 2021, Sec. 3.2).

    Writing takes two steps, so that a loss has no side effect and the queue does not change before the backward pass:
    :meth:`stage` keeps the keys of a batch, :meth:`commit` writes them. Everything else is a buffer and so part of the
    checkpoint: ``image`` and ``text`` (dim, size), one key per column, ``person_ids`` (size,) with -1 for an empty
    slot, ``pointer``, the column to be overwritten next, and ``fill``, the number of columns written so far.

    Over several processes the keys of all of them enter, rank 0 first; every process then holds the same queue. The
    keys are stored as they come, in the dtype of the queue; the retriever normalises them.

    Args:
        size: Number of slots, K. 1,024 to 2,048 served the paper best; it needs no relation to the batch size.
        dim: Length of a key.
        random_init: Reproduce the public code: the slots start as normalised uniform noise and take part as negatives
            from the first step. By default empty slots are no negatives.

    Raises:
        ValueError: If a size is not positive.

    Example:
        >>> import torch
        >>> queue = CrossModalQueue(size=3, dim=2)
        >>> queue.stage(torch.eye(2), torch.eye(2), torch.tensor([7, 8]))
        >>> queue.commit()
        >>> queue.person_ids.tolist(), int(queue.fill)
        ([7, 8, -1], 2)
    """

    image: Tensor
    text: Tensor
    person_ids: Tensor
    pointer: Tensor
    fill: Tensor

    @checked()
    def __init__(self, size: int, dim: int, random_init: bool = False) -> None:
        super().__init__()
        if size < 1 or dim < 1:
            raise ValueError(f'CrossModalQueue: size and dim must be at least 1, got {size} and {dim}')
        self.size, self.dim, self.random_init = size, dim, random_init
        for name in ('image', 'text'):
            slots = F.normalize(torch.rand(dim, size), dim=0) if random_init else torch.zeros(dim, size)
            self.register_buffer(name, slots)
        self.register_buffer('person_ids', torch.full((size,), -1))
        self.register_buffer('pointer', torch.tensor(0))
        self.register_buffer('fill', torch.tensor(0))
        self._staged: tuple[Tensor, Tensor, Tensor] | None = None
        self._commit_due = False

    @property
    def staged(self) -> bool:
        """Whether keys wait for :meth:`commit`."""
        return self._staged is not None

    @property
    def valid(self) -> Tensor:
        """Slots whose keys count as negatives, bool, (size,)."""
        return torch.ones_like(self.person_ids, dtype=torch.bool) if self.random_init else self.person_ids != -1

    def stage(self, image_keys: Tensor, text_keys: Tensor, person_ids: Tensor) -> None:
        """Keep the keys of a batch until :meth:`commit`; they replace keys that were staged before.

        Args:
            image_keys: (N, dim).
            text_keys: (N, dim).
            person_ids: (N,), integers, not negative. The sign is checked on the CPU alone, since on a device it would
                cost a synchronisation in every step; the data sets of this package count from 0.

        Raises:
            ValueError: If the shapes do not fit or the identities are no integers or negative.
        """
        if person_ids.ndim != 1 or person_ids.dtype not in _INTEGERS:
            raise ValueError(
                'CrossModalQueue: person_ids must be integers of shape (N,), got '
                f'{person_ids.dtype} of shape {tuple(person_ids.shape)}'
            )
        if person_ids.device.type == 'cpu' and (person_ids < 0).any():
            raise ValueError(
                f'CrossModalQueue: person_ids must not be negative, got {int(person_ids.min())}; -1 marks an empty '
                'slot, whose keys are no negatives. Number the identities from 0'
            )
        expected = (len(person_ids), self.dim)
        for name, keys in (('image_keys', image_keys), ('text_keys', text_keys)):
            if keys.shape != expected:
                raise ValueError(
                    f'CrossModalQueue: {name} must have shape {expected} (identities, dim), got {tuple(keys.shape)}; '
                    'the dim of the queue is the length of the contrastive embeddings'
                )
        self._staged = (image_keys.detach(), text_keys.detach(), person_ids.detach())

    def discard(self) -> None:
        """Forget staged keys."""
        self._staged = None
        self._commit_due = False

    def demand_commit(self) -> None:
        """Note that a training step uses the staged keys, so that they must be committed before the next step.

        Raises:
            RuntimeError: If the keys of the step before were neither committed nor discarded.
        """
        if self._commit_due:
            raise RuntimeError(
                'CrossModalQueue: the keys of the last training step were not committed, so the queue and the key '
                "encoders stand still. Put dict(type='MomentumUpdateHook') and dict(type='QueueUpdateHook') in "
                'custom_hooks; in a loop of your own call update_key_encoders() before and queue.commit() after a step'
            )
        self._commit_due = True

    @torch.no_grad()
    def commit(self) -> None:
        """Write the staged keys of all processes at (pointer + i) mod size. Call it after the optimizer's step.

        Raises:
            RuntimeError: If nothing is staged.
        """
        if self._staged is None:
            raise RuntimeError('CrossModalQueue: no keys are staged; a call of loss() or stage() must precede commit()')
        image_keys, text_keys, person_ids = (gather(values) for values in self._staged)
        self.discard()
        count = len(person_ids)
        # Of a batch that exceeds the ring only the last keys stay; written twice, a slot's content would be undefined.
        kept = torch.arange(max(count - self.size, 0), count, device=self.pointer.device)
        slots = (self.pointer + kept) % self.size
        self.image.index_copy_(1, slots, image_keys[kept].t().to(self.image.dtype))
        self.text.index_copy_(1, slots, text_keys[kept].t().to(self.text.dtype))
        self.person_ids.index_copy_(0, slots, person_ids[kept].to(self.person_ids.dtype))
        self.pointer.add_(count).remainder_(self.size)
        self.fill.add_(count).clamp_(max=self.size)

    def extra_repr(self) -> str:
        """Describe the settings."""
        return f'size={self.size}, dim={self.dim}, random_init={self.random_init}'
