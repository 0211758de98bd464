"""Batches of a training: their size is said once, and there is at least one."""

from mmengine.config import Config
from mmengine.runner import Runner

__all__ = ['check_batch_size', 'require_batches']


def check_batch_size(cfg: Config) -> None:
    """Refuse a sampler of batches whose batch size is not that of its data loader.

    Args:
        cfg: A complete config.

    Raises:
        ValueError: If they differ.
    """
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        loader = loader if isinstance(loader, dict) else {}
        size, own = loader.get('batch_size'), (loader.get('sampler') or {}).get('batch_size')
        if own is not None and size is not None and own != size:
            raise ValueError(
                f'{name}.batch_size is {size}, and {name}.sampler.batch_size is {own}: the sampler would arrange '
                'batches that the loader cuts elsewhere. Set both to the same number.'
            )


def require_batches(runner: Runner) -> None:
    """Refuse a training without an iteration.

    Args:
        runner: The runner of the training.

    Raises:
        ValueError: If an epoch has no batch; the message names the numbers.
    """
    loader = runner.train_dataloader
    try:
        batches = len(loader)
    except TypeError:  # an iterable data set
        return
    if not batches:
        size, drops = getattr(loader, 'batch_size', None), getattr(loader, 'drop_last', False)
        why = ' and drop_last=True' if drops else ''
        raise ValueError(
            f'An epoch has no batch: the training set has {len(loader.dataset)} pairs, with '
            f'train_dataloader.batch_size={size}{why}. Take a smaller batch_size (and sampler.batch_size), or '
            'drop_last=False.'
        )
