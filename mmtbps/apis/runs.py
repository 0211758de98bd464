"""Train and test with MMEngine's Runner, as ``mmtbps train`` and ``mmtbps test`` do."""

import os
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier
from mmengine.hooks import ProfilerHook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmtbps.core.checkpoint import dataset_meta_of, load_checkpoint_file
from mmtbps.core.distributed import unwrap
from mmtbps.core.terminal import tell
from mmtbps.engine import DatasetMetaHook, EpochSeedHook, FitWeightsHook, prepare_cpu_launcher
from mmtbps.engine.batch_sizes import note_on_batch_size
from mmtbps.engine.config_checks import MMENGINE_HOOKS, check_config
from mmtbps.engine.data_sizes import resolve_data_sizes
from mmtbps.engine.kind_checks import check_kinds
from mmtbps.engine.loaders import check_batch_size, check_evaluation_loaders, require_batches
from mmtbps.engine.own_data import apply_own_data, derive_numbers, measures_training_set
from mmtbps.engine.progress import progress
from mmtbps.engine.resuming import find_resumable, load_files_safely
from mmtbps.engine.run_folder import sole_run
from mmtbps.engine.runner import QuietRunner
from mmtbps.engine.schedules import fit_schedules
from mmtbps.zoo import weights_named

from .downloads import explained_downloads
from .options import add_feature_dump
from .provenance import describe_provenance

__all__ = ['build_runner', 'test', 'train']


def build_runner(cfg: Config, dataset_meta: dict[str, Any] | None = None) -> Runner:
    """Check a config, resolve the sizes that depend on the data, and build its Runner.

    Args:
        cfg: A complete config with ``work_dir`` set.
        dataset_meta: See :func:`resolve_data_sizes`.

    Returns:
        The Runner, ready for ``train`` or ``test``.
    """
    # A fork of MMEngine falls back to unsafe unpickling; torch overrules it.
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'
    load_files_safely()
    check_kinds(cfg)
    notes = apply_own_data(cfg)
    if dataset_meta is None:
        notes += derive_numbers(cfg)
    check_config(cfg)
    check_batch_size(cfg)
    check_evaluation_loaders(cfg)
    fit_schedules(cfg)
    _drop_removed_hooks(cfg)
    _choose_constructor(cfg)
    resolve_data_sizes(cfg, dataset_meta)
    _drop_scope_of_collate_functions(cfg)
    prepare_cpu_launcher(cfg)
    found = _find_checkpoint(cfg)
    if str(cfg.get('runner_type', '')).endswith('FlexibleRunner'):
        raise ValueError(
            "runner_type='FlexibleRunner' is not supported: its strategies load and save checkpoints by themselves, "
            'past their checks. Leave runner_type out; several processes train by tools/dist_train.sh.'
        )
    hooks = cfg.get('default_hooks') or {}
    published = cfg.get('train_cfg') is None and 'terminal' not in hooks  # such a config has no hooks of its own
    quiet = published or hooks.get('terminal') is not None
    kind = QuietRunner if quiet else Runner
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else kind.from_cfg(cfg)
    for kind in (FitWeightsHook, EpochSeedHook, DatasetMetaHook):
        if not any(isinstance(hook, kind) for hook in runner.hooks):
            runner.register_hook(kind())  # no config goes without
    if found:
        runner.logger.warning(found)
    for note in notes:
        tell(note)
    return runner


def _find_checkpoint(cfg: Config) -> str:
    """Name the file of ``load_from='nam'``, or of ``resume`` without ``load_from``; returns a sentence for the log."""
    if cfg.get('load_from'):
        cfg.load_from = weights_named(cfg.load_from)
    if not cfg.get('resume') or cfg.get('load_from'):
        return ''
    found, note = find_resumable(cfg.work_dir)
    cfg.resume = found is not None
    cfg.load_from = None if found is None else str(found)
    return note if found is not None else f'{note} Training starts anew.'


def _drop_removed_hooks(cfg: Config) -> None:
    """Let None remove any hook of ``default_hooks``; MMEngine takes it only for the hooks that are its own."""
    hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if hook is None and name not in MMENGINE_HOOKS]:
        hooks.pop(name)


def _choose_constructor(cfg: Config) -> None:
    """Let parameters be grouped by our constructor unless the config names one: learnt temperatures must not decay."""
    wrapper = cfg.get('optim_wrapper')
    if wrapper is not None:
        wrapper.setdefault('constructor', 'mmtbps.GroupedOptimWrapperConstructor')


def train(cfg: Config) -> dict[str, float]:
    """Train, then test the best epoch (chosen on val), or the last one if there was no validation.

    Args:
        cfg: A complete config with ``work_dir`` set.

    Returns:
        The metrics on the test set; empty if the config has none, or if it is the training set.

    Raises:
        FileExistsError: If the work directory holds another run.
        FileNotFoundError: If pretrained weights cannot be downloaded.
        RuntimeError: If another process is training in the work directory.
        ValueError: If the config is wrong or has no training, or a checkpoint to start or to resume from does not fit
            the model.
    """
    check_kinds(cfg)
    _require_training(cfg)
    note = _find_checkpoint(cfg)
    with sole_run(cfg.work_dir, cfg.load_from if cfg.get('resume') else None), explained_downloads(cfg):
        runner = build_runner(cfg)
        require_batches(runner)
        for sentence in (note, note_on_batch_size(runner)):
            if sentence:
                runner.logger.warning(sentence)
        _compile_model(runner)
        tested = (
            not measures_training_set(cfg) and runner.test_loop is not None
        )  # what is wrong with the test set shows before the training
        runner.train()
    if not tested:
        return {}
    barrier()  # the main process may still be writing the best epoch
    _stop_profiling(runner)
    return _run_test(runner, _load_best_epoch(runner))


def _compile_model(runner: Runner) -> None:
    """Obey ``compile=True`` or ``compile=dict(...)``: the model says what of it is worth compiling.

    MMEngine would compile the whole training step, once more for other lengths of captions and, with the optimizer in
    it, for every learning rate.
    """
    settings = runner.cfg.pop('compile', None)
    if settings is not None and settings is not False:
        model = unwrap(runner.model)
        model.compile(**({} if settings is True else settings))
        tell('The model is compiled in its first two training steps, which may take minutes.')


def test(cfg: Config, checkpoint: str, dump_to: str | None = None) -> dict[str, float]:  # noqa: PT028
    """Test a checkpoint on the test set of a config.

    Args:
        cfg: A complete config with ``work_dir`` set; its unresolved sizes and words are taken from the checkpoint.
        checkpoint: File of the weights, those of the encoders at least.
        dump_to: Write all features and their provenance to this ``.npz`` file. Defaults to None: they are not kept.

    Returns:
        The metrics.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the config is wrong, the file is no checkpoint of plain weights, or they do not fit the model's
            encoders.
    """
    check_kinds(cfg)
    stored = load_checkpoint_file(checkpoint)
    apply_own_data(cfg)  # what is written of the data's origin is of the table
    cfg.load_from = checkpoint
    cfg.resume = False
    dataset_meta = dataset_meta_of(stored, checkpoint)
    if dump_to is not None:
        add_feature_dump(cfg, dump_to, describe_provenance(cfg, checkpoint, dataset_meta))
    runner = build_runner(cfg, dataset_meta)
    _stop_profiling(runner)
    if measures_training_set(runner.cfg):
        runner.logger.warning('The test set is the training set: figures on it say nothing of other persons.')
    return _run_test(runner, Path(checkpoint).name)


def _require_training(cfg: Config) -> None:
    """Refuse configs that can only be searched with, such as those of published weights."""
    missing = [key for key in ('train_cfg', 'train_dataloader', 'optim_wrapper') if cfg.get(key) is None]
    if missing:
        raise ValueError(
            f'{cfg.filename or "The config"} has no {" and no ".join(missing)}, so that nothing can be trained. To '
            "fine-tune published weights, take the config of a recipe and name them there, such as load_from='nam'."
        )


def _run_test(runner: Runner, weights: str) -> dict[str, float]:
    """Test; the table of the figures names the weights, and no table of a later evaluation does."""
    runner.message_hub.update_info('tested_weights', weights)
    try:
        return runner.test()
    finally:
        runner.message_hub.pop_info('tested_weights', None)


def _stop_profiling(runner: Runner) -> None:
    """Profile no test: MMEngine's hook would start there and never stop, and the process end in a crash."""
    runner._hooks = [hook for hook in runner.hooks if not isinstance(hook, ProfilerHook)]


def _load_best_epoch(runner: Runner) -> str:
    """Give the model the weights of the best epoch on val, if one was chosen; return what it holds then."""
    unit, now = progress(runner)
    validated = runner.val_loop is not None
    best = _best_checkpoint(runner) if validated else None
    if best is None:
        return f'last {unit} ({now}): {f"no best {unit} was kept" if validated else "there was no validation"}'
    # Every rank loads: a test right after training would use the last epoch's weights.
    meta = runner.load_checkpoint(str(best))['meta']
    return f'best {unit} on val ({meta["epoch" if unit == "epoch" else "iter"]})'


def _best_checkpoint(runner: Runner) -> Path | None:
    """The best epoch's file; a work directory may have been moved since an earlier part of the run."""
    known = runner.message_hub.runtime_info
    keys = ((runner.cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    first = keys[0] if isinstance(keys, list | tuple) and len(keys) > 1 else None
    recorded = known.get('best_ckpt') if first is None else known.get(f'best_ckpt_{first}')
    if recorded is None:
        return None
    candidates = [Path(recorded), Path(runner.work_dir) / Path(recorded).name]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(f'The best epoch is gone: neither {candidates[0]} nor {candidates[1]} exists.')


def _drop_scope_of_collate_functions(cfg: Config) -> None:
    """MMEngine marks what another package's config inherits with a scope, which would become an argument."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        collate = (cfg.get(name) or {}).get('collate_fn')
        if isinstance(collate, dict):
            collate.pop('_scope_', None)
