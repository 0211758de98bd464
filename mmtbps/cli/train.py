"""``mmtbps train``: train a retriever, then test its best epoch."""

import errno
from pathlib import Path
from shlex import quote
from typing import Annotated

from .arguments import OWN, CfgOptions, Launcher, LocalRank, Switch, Words, config_of, set_local_rank
from .metrics_file import require_metrics_file, write_metrics
from .settings import override

__all__ = ['train']


def train(
    config: str | None = None,
    /,
    *,
    data: Annotated[str | None, OWN] = None,
    images: Annotated[str | None, OWN] = None,
    val_ids: Annotated[int | None, OWN] = None,
    test_ids: Annotated[int | None, OWN] = None,
    work_dir: str | None = None,
    resume: Words = None,
    out: str | None = None,
    amp: Switch = False,
    no_validate: Switch = False,
    auto_scale_lr: Switch = False,
    verbose: Switch = False,
    cfg_options: CfgOptions = None,
    launcher: Launcher = 'none',
    local_rank: LocalRank = 0,
) -> None:
    """Train a retriever, then test its best epoch.

    For example:

        mmtbps train cm-moco_tiny_toypedes
        mmtbps train my_config.py --resume --cfg-options train_cfg.max_epochs=20
        mmtbps train --data captions.csv

    Args:
        config: Config file, or its name. With --data it may be left out: own-data_clip-vit-b16 if there is a GPU, else
            own-data_tiny.
        data: Train on this CSV or JSONL with the columns image, caption, person_id and, if you like, split.
        images: Folder of its images (default: imgs beside the table, or else the table's own).
        val_ids: Persons to take from train for val (default: a tenth if the table has no column split).
        test_ids: Persons to take from train for test, likewise.
        work_dir: Folder for logs and checkpoints (default: work_dirs/CONFIG; with --data, work_dirs/NAME of the table).
        resume: Resume from this checkpoint, or without a value from the latest one in the work directory.
        out: Write the metrics of the test to this file (.json, .yaml or .pkl).
        amp: Mixed precision: fp16 with a scaler on GPU, bf16 on CPU.
        no_validate: No validation; the last epoch is tested.
        auto_scale_lr: Scale the learning rate with the batch size.
        verbose: Show the whole log on the terminal, which otherwise has a few lines an epoch.
    """
    from mmengine.dist import is_main_process

    from mmtbps.apis import runs
    from mmtbps.apis.options import apply_train_options
    from mmtbps.core.commands import hidden_error, paragraph_of
    from mmtbps.engine.resuming import describe_resumption

    require_metrics_file(out)
    if len(resume or []) > 1:
        raise ValueError(f'--resume takes one checkpoint, got {" ".join(resume or [])}.')
    set_local_rank(local_rank)
    cfg = config_of(_config(config, data), None)
    if data is not None:
        kept = cfg.own_data if isinstance(cfg.get('own_data'), dict) else {}  # such as names of columns
        given = dict(images=images, num_val_ids=val_ids, num_test_ids=test_ids)
        cfg.own_data = dict(kept, table=data, **{key: value for key, value in given.items() if value is not None})
    override(cfg, cfg_options)
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(data or str(config)).stem)
    cfg.launcher = launcher
    source = None if resume is None else (resume or ['auto'])[0]
    cfg = apply_train_options(cfg, source, amp, not no_validate, auto_scale_lr)
    if verbose:
        cfg.merge_from_dict({'default_hooks.terminal': None})
    try:
        metrics = runs.train(cfg)
    except (KeyboardInterrupt, SyntaxError) as error:
        if isinstance(hidden_error(error), KeyboardInterrupt):
            raise KeyboardInterrupt(describe_resumption(cfg.work_dir)) from error
        raise
    except (OSError, RuntimeError) as error:
        if reason := _what_stopped(error):
            told = f'{paragraph_of(error).rstrip(".")}. {reason} {describe_resumption(cfg.work_dir)}'
            raise RuntimeError(told) from error
        raise
    if not is_main_process():
        return
    if out:
        write_metrics(metrics, out)
    print(f'Search with it: mmtbps search index FOLDER --model {quote(cfg.work_dir)} --out gallery')


def _what_stopped(error: BaseException) -> str:
    """What to do about a machine that ran out of something, before the training goes on; empty if it did not."""
    causes = (error, error.__cause__, error.__context__)
    if any(getattr(cause, 'errno', None) in (errno.ENOSPC, errno.EDQUOT) for cause in causes):
        return 'Free space on that disk.'
    if 'DataLoader worker' in str(error) and 'killed' in str(error):
        return 'The system kills a worker that takes too much memory: set a smaller train_dataloader.num_workers.'
    return ''


def _config(config: str | None, data: str | None) -> str:
    """The config that the command line names, or the one for own data on this machine."""
    if config is not None:
        return config
    if data is None:
        raise ValueError('Name a config (mmtbps models lists them), or your own data by --data TABLE.')
    import torch

    return 'own-data_clip-vit-b16' if torch.cuda.is_available() else 'own-data_tiny'
