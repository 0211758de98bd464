"""Sizes of the model that depend on the data, resolved once before the model is built."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from mmtbps.datasets.joining import leaf_configs
from mmtbps.registry import DATASETS, TOKENIZER

__all__ = ['SIZES', 'find_sizes', 'resolve_data_sizes']

SIZES = ('vocab_size', 'num_classes')
"""Settings of a model that depend on the data."""


def resolve_data_sizes(cfg: Config, dataset_meta: dict[str, Any] | None = None) -> Config:
    """Fill every ``vocab_size=None`` and ``num_classes=None`` of ``cfg.model``, in place.

    The resolved numbers are part of the config that the Runner dumps and stores in its checkpoints.

    Args:
        cfg: A complete config.
        dataset_meta: ``checkpoint['meta']['dataset_meta']`` of the weights to load. Defaults to None: the training set
            of the config is read.

    Returns:
        The same config.

    Raises:
        ValueError: If a size cannot be resolved from the training set or ``dataset_meta``, or if the config has another
            vocabulary size than the data.
    """
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    slots = list(find_sizes(cfg.model, 'model'))
    if not any(node[key] is None for _, node, key in slots):
        return cfg
    sizes = _sizes_of_meta(cfg, dataset_meta) if dataset_meta is not None else _sizes_of_training_set(cfg)
    for path, node, key in slots:
        if node[key] is None:
            if sizes.get(key) is None:
                raise ValueError(
                    f'{path}.{key} is None and cannot be taken from {sizes["source"]}. Set the number in the config.'
                )
            node[key] = sizes[key]
        elif key == 'vocab_size' and sizes.get(key) not in (None, node[key]):
            raise ValueError(
                f'{path}.{key} is {node[key]}, but {sizes["source"]} has {sizes[key]} words. Set it to None.'
            )
    return cfg


def find_sizes(node: Any, path: str) -> Iterator[tuple[str, ConfigDict, str]]:
    """Find the settings of a model that depend on the data.

    Args:
        node: A config, or a part of one.
        path: Its name.

    Yields:
        The name of the dictionary that has one, the dictionary, and the key.
    """
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SIZES:
                yield path, node, key
            else:
                yield from find_sizes(value, f'{path}.{key}')
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from find_sizes(value, f'{path}[{index}]')


def _sizes_of_training_set(cfg: Config) -> dict[str, Any]:
    if cfg.get('train_dataloader') is None:
        raise ValueError('The config has no train_dataloader to take vocab_size and num_classes from.')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    dataset.full_init()
    return dict(
        vocab_size=dataset.tokenizer.vocab_size,
        num_classes=dataset.num_classes,
        source=f'the training set ({dataset.ann_file})',
    )


def _sizes_of_meta(cfg: Config, dataset_meta: dict[str, Any]) -> dict[str, Any]:
    words, identities = dataset_meta.get('vocabulary'), dataset_meta.get('person_ids')
    vocab_size = len(words) if words is not None else _fixed_vocabulary_size(cfg)
    return dict(
        vocab_size=vocab_size,
        num_classes=None if identities is None else len(identities),
        source='the checkpoint',
    )


def _fixed_vocabulary_size(cfg: Config) -> int | None:
    """Vocabulary size of a tokenizer with a fixed vocabulary, such as CLIP's BPE."""
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or cfg.get('train_dataloader')
    tokenizer = next(leaf_configs(loader.dataset)).get('tokenizer') if loader else None
    return TOKENIZER.build(tokenizer).vocab_size if tokenizer else None
