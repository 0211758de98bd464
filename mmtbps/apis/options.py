"""Changes of a config by command line options."""

import copy
import warnings
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmtbps.datasets.joining import leaf_configs
from mmtbps.engine.kind_checks import check_kinds
from mmtbps.engine.own_data import disable_validation
from mmtbps.engine.resuming import find_resumable
from mmtbps.registry import METRICS

__all__ = [
    'add_feature_dump',
    'apply_train_options',
    'disable_validation',
    'enable_amp',
    'ranking_settings',
    'use_test_set',
]


def apply_train_options(
    cfg: Config,
    resume: str | None = None,
    amp: bool = False,
    validate: bool = True,
    auto_scale_lr: bool = False,
) -> Config:
    """Apply the options of ``mmtbps train`` to a config, in place.

    Args:
        cfg: A complete config with ``work_dir`` set.
        resume: A checkpoint to resume from, or ``'auto'`` for the latest one in the work directory; as long as there
            is none, the run starts as without it, from ``load_from`` if that is set. Defaults to None.
        amp: See :func:`enable_amp`. Defaults to False.
        validate: Whether to validate during training. Defaults to True.
        auto_scale_lr: Whether to scale the learning rate linearly with the total batch size. Defaults to False.

    Returns:
        The same config.

    Raises:
        FileNotFoundError: If the checkpoint to resume from does not exist.
        ValueError: If the config has a number or text where there must be a dictionary, if the work directory has
            checkpoints but none to resume from, or if the learning rate is to be scaled and the config lacks the batch
            size that it is meant for.
    """
    check_kinds(cfg)
    if resume is not None:
        if resume != 'auto' and not Path(resume).is_file():
            raise FileNotFoundError(f'There is no checkpoint {resume} to resume from.')
        found, note = (Path(resume), '') if resume != 'auto' else find_resumable(cfg.work_dir)
        if found is not None:
            cfg.resume = True
            cfg.load_from = str(found)
        elif any(Path(cfg.work_dir).glob('*.pth')):
            raise ValueError(note)
        if note:
            warnings.warn(note if found else f'{note} Training starts anew.', stacklevel=2)
    if amp:
        enable_amp(cfg)
    if not validate:
        disable_validation(cfg)
    if auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ValueError(
                f'{cfg.filename} has no auto_scale_lr.base_batch_size, the total batch size its learning rate is '
                'meant for. Add auto_scale_lr=dict(base_batch_size=...).'
            )
        cfg.auto_scale_lr.enable = True
    return cfg


def enable_amp(cfg: Config) -> None:
    """Train under autocast: fp16 with a dynamic loss scale on GPU, bf16 on CPU.

    An optimizer wrapper that already is one for mixed precision keeps its settings.
    """
    wrapper = cfg.optim_wrapper
    if wrapper.get('type', 'OptimWrapper') == 'OptimWrapper':
        if torch.cuda.is_available():
            wrapper.type = 'AmpOptimWrapper'
            wrapper.setdefault('loss_scale', 'dynamic')
        else:
            wrapper.type = 'AutocastOptimWrapper'


def use_test_set(cfg: Config, source: Config) -> Config:
    """Replace the test set by that of another config, in place, but keep the model's transforms and tokenizer.

    Args:
        cfg: The config of the model.
        source: A config with a ``test_dataloader``, such as one of ``configs/_base_/datasets/``.

    Returns:
        The first config.

    Raises:
        ValueError: If one of them has no test set, or a number or text where there must be a dictionary.
    """
    for config in (cfg, source):
        check_kinds(config)
        if config.get('test_dataloader') is None:
            raise ValueError(f'{config.filename} has no test_dataloader; name a config that has one.')
    own = next(leaf_configs(cfg.test_dataloader.dataset))
    kept = {key: own[key] for key in ('pipeline', 'tokenizer') if key in own}
    dataset = copy.deepcopy(source.test_dataloader.dataset)
    for leaf in leaf_configs(dataset):
        for key in ('pipeline', 'tokenizer'):
            leaf.pop(key, None)
        leaf.update(copy.deepcopy(kept))
    cfg.test_dataloader.dataset = dataset
    return cfg


def add_feature_dump(cfg: Config, out_file: str, meta: dict[str, Any]) -> None:
    """Make a test write its features to ``out_file``, with ``meta``; see :class:`mmtbps.evaluation.DumpFeatures`."""
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    cfg.test_evaluator = [*evaluators, dict(type='DumpFeatures', out_file=out_file, meta=meta)]


def ranking_settings(cfg: Config) -> dict[str, Any]:
    """Return the re-rankers and the ranks of CMC that the ``TBPSMetric`` of a config uses.

    Args:
        cfg: A config with a ``test_evaluator``.

    Returns:
        Arguments ``rerankers`` and ``topk`` of :func:`mmtbps.apis.reports.write_report`.
    """
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    settings = next((dict(e) for e in evaluators if str(e['type']).endswith('TBPSMetric')), dict(type='TBPSMetric'))
    metric = METRICS.build(settings)
    return dict(rerankers=metric.rerank, topk=metric.topk)
