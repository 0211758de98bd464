"""Provenance of a file of features: written into the file, and verified when it is used."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmtbps.core.files import file_sha256
from mmtbps.datasets.joining import leaf_configs, with_leaves
from mmtbps.engine.data_sizes import SIZES
from mmtbps.evaluation import Features
from mmtbps.registry import DATASETS

__all__ = ['check_provenance', 'dataset_name', 'describe_provenance']


def dataset_name(dataset: dict[str, Any]) -> str:
    """Name of the data set of a config, as in its meta information and in checkpoints trained on it."""
    kinds = [DATASETS.get(leaf['type']) or leaf['type'] for leaf in leaf_configs(dataset)]
    names = [getattr(kind, 'METAINFO', {}).get('dataset', getattr(kind, '__name__', str(kind))) for kind in kinds]
    return ' + '.join(names)


def _model_digest(cfg: Config) -> str:
    """Hash of the model's config without the sizes that are resolved from the data."""

    def plain(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: plain(value) for key, value in node.items() if key not in SIZES}
        return [plain(value) for value in node] if isinstance(node, list | tuple) else node

    return hashlib.sha256(json.dumps(plain(cfg.model), sort_keys=True, default=str).encode()).hexdigest()[:16]


def describe_provenance(cfg: Config, checkpoint: str, dataset_meta: dict[str, Any]) -> dict[str, Any]:
    """Describe model, checkpoint, config and data set of a test.

    Args:
        cfg: The config of the test.
        checkpoint: File of the weights.
        dataset_meta: ``checkpoint['meta']['dataset_meta']``, which names the training set.

    Returns:
        The metadata of the features, texts by name.
    """
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    dataset = cfg.test_dataloader.dataset
    return dict(
        model=str(cfg.model.type),
        model_digest=_model_digest(cfg),
        checkpoint=Path(checkpoint).name,
        checkpoint_digest=file_sha256(checkpoint)[:16],
        config=str(cfg.filename),
        trained_on=str(dataset_meta.get('dataset', 'unknown')),
        dataset=dataset_name(dataset),
        split=_split(dataset),
    )


def check_provenance(features: Features, cfg: Config | None = None, checkpoint: str | None = None) -> None:
    """Verify that features come from a given model, checkpoint and test set.

    Args:
        features: Features that :func:`mmtbps.evaluation.load_features` read.
        cfg: Config of the expected model and test set; the annotation is read, and persons and captions are compared.
            Defaults to None: not verified.
        checkpoint: File of the expected weights, compared by its hash. Defaults to None: not verified.

    Raises:
        ValueError: If something differs; the message names it.
    """
    meta, faults = features.meta, []
    if checkpoint is not None and meta.get('checkpoint_digest') != file_sha256(checkpoint)[:16]:
        faults.append(f'the checkpoint {meta.get("checkpoint")}, whose bytes are not those of {checkpoint}')
    if cfg is not None:
        init_default_scope(cfg.get('default_scope', 'mmtbps'))
        if meta.get('model_digest') != _model_digest(cfg):
            faults.append(
                f'a {meta.get("model")} of {meta.get("config")}, whose settings are not those of {cfg.filename}'
            )
        dataset = cfg.test_dataloader.dataset
        expected = f'{dataset_name(dataset)} {_split(dataset)}'
        found = f'{meta.get("dataset")} {meta.get("split")}'
        if found != expected:
            faults.append(f'the data set {found}, not {expected}')
        elif _data_digest(dataset) != features.data_digest:
            faults.append(f'{found} with other persons or captions than the annotation has now')
    if faults:
        raise ValueError(f'The features come from {"; and from ".join(faults)}. Write them again.')


def _split(dataset: dict[str, Any]) -> str:
    return ' + '.join(dict.fromkeys(str(leaf.get('split', 'train')) for leaf in leaf_configs(dataset)))


def _data_digest(dataset: dict[str, Any]) -> str:
    """Compute :attr:`Features.data_digest` of a test set without reading images."""
    built = DATASETS.build(with_leaves(dataset, pipeline=[], check_images=False))
    built.full_init()
    items = [built.get_data_info(index) for index in range(len(built))]
    counts = torch.tensor([len(item['captions']) for item in items])
    nothing = torch.empty(0)
    return Features(
        nothing,
        torch.tensor([item['person_id'] for item in items]),
        [],
        nothing,
        [caption for item in items for caption in item['captions']],
        torch.arange(len(items)).repeat_interleave(counts),
        {},
    ).data_digest
