"""What the command line's switches mean for a config."""

from pathlib import Path

import torch
from mmengine.config import Config

__all__ = ['add_feature_dump', 'apply_train_options', 'disable_validation', 'enable_amp']


def apply_train_options(
    cfg: Config,
    resume: str | None = None,
    amp: bool = False,
    validate: bool = True,
    auto_scale_lr: bool = False,
) -> Config:
    """Apply the switches of ``tools/train.py`` to a config, in place.

    Args:
        cfg: A complete config with ``work_dir`` set.
        resume: A checkpoint to resume from, or ``'auto'`` for the latest one in the work directory. Defaults to None.
        amp: See :func:`enable_amp`. Defaults to False.
        validate: Whether to validate during training. Defaults to True.
        auto_scale_lr: Whether to scale the learning rate linearly with the total batch size. Defaults to False.

    Returns:
        The same config.

    Raises:
        FileNotFoundError: If the checkpoint to resume from does not exist.
        ValueError: If the learning rate shall be scaled and the config does not say for which batch size it is meant.
    """
    if resume is not None:
        if resume != 'auto' and not Path(resume).is_file():
            raise FileNotFoundError(f'There is no checkpoint {resume} to resume from.')
        cfg.resume = True
        cfg.load_from = None if resume == 'auto' else resume
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


def disable_validation(cfg: Config) -> None:
    """Train without validation; no best epoch is chosen."""
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint')
    if checkpoint:
        checkpoint.pop('save_best', None)
        checkpoint.pop('rule', None)


def add_feature_dump(cfg: Config, out_file: str, checkpoint: str) -> None:
    """Let a test write its features to ``out_file``; see :class:`mmtbps.evaluation.DumpFeatures`."""
    dataset = cfg.test_dataloader.dataset
    meta = dict(checkpoint=Path(checkpoint).name, config=str(cfg.filename), dataset=str(dataset.get('type')))
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    cfg.test_evaluator = [*evaluators, dict(type='DumpFeatures', out_file=out_file, meta=meta)]
