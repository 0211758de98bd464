"""Batches of a training: their size is said once, and there is at least one."""

import copy

from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmtbps.datasets.joining import leaf_configs
from mmtbps.registry import DATA_SAMPLERS, DATASETS

__all__ = ['check_batch_size', 'check_evaluation_loaders', 'describe_batches', 'require_batches']


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


def check_evaluation_loaders(cfg: Config) -> None:
    """Refuse loaders that would show not every image of val or test once.

    Args:
        cfg: A complete config.

    Raises:
        ValueError: If a loader drops the last batch, or its sampler has no end.
    """
    for name in ('val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        loader = loader if isinstance(loader, dict) else {}
        if loader.get('drop_last'):
            raise ValueError(
                f'{name}.drop_last=True would leave the images of the last batch out of the gallery. Set it to False.'
            )
        kind = (loader.get('sampler') or {}).get('type')
        if getattr(kind, '__name__', str(kind)).endswith('InfiniteSampler'):
            raise ValueError(
                f'{name}.sampler is an InfiniteSampler, with which an evaluation never ends. Take '
                "dict(type='DefaultSampler', shuffle=False)."
            )


def require_batches(runner: Runner) -> None:
    """Refuse a training without an iteration, or with an epoch that never ends.

    Args:
        runner: The runner of the training.

    Raises:
        ValueError: If an epoch has no batch, when the message names the numbers, or no end.
    """
    loader = runner.train_dataloader
    endless = isinstance(getattr(loader, 'sampler', None), InfiniteSampler)
    if endless and isinstance(runner.train_loop, EpochBasedTrainLoop):
        raise ValueError(
            'train_dataloader.sampler is an InfiniteSampler, with which an epoch never ends. Take DefaultSampler, or '
            'count iterations: train_cfg=dict(_delete_=True, by_epoch=False, max_iters=..., val_interval=...).'
        )
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


def describe_batches(cfg: Config) -> str:
    """Say which batches a training of one process would draw, without loading an image.

    Args:
        cfg: A complete config.

    Returns:
        A sentence.

    Raises:
        ValueError: If the sampler cannot draw a batch from the training set, or an epoch has none.
    """
    loader = cfg.train_dataloader
    config = copy.deepcopy(loader.dataset)
    for leaf in leaf_configs(config):
        # A tokenizer may want files of its own.
        leaf.update(pipeline=[], tokenizer=dict(type='WordTokenizer'))
    dataset = DATASETS.build(config)
    drawn = len(DATA_SAMPLERS.build(loader.sampler, default_args=dict(dataset=dataset)))
    size = loader.batch_size
    batches = drawn // size if loader.get('drop_last') else -(-drawn // size)
    if not batches:
        raise ValueError(f'An epoch has no batch: {len(dataset)} training pairs, batch_size={size} and drop_last=True.')
    epochs = cfg.train_cfg.get('max_epochs')
    batch = 'batch' if batches == 1 else 'batches'
    return f'Training: {batches:,} {batch} of {size} pairs an epoch' + (f', {epochs} epochs.' if epochs else '.')
