"""``mmtbps test``: test a checkpoint."""

from pathlib import Path

from .arguments import CfgOptions, Launcher, LocalRank, Switch, set_local_rank
from .metrics_file import require_metrics_file, write_metrics
from .settings import override

__all__ = ['test']


def test(
    config: str | None = None,
    checkpoint: str | None = None,
    /,
    *,
    model: str | None = None,
    work_dir: str | None = None,
    test_on: str | None = None,
    out: str | None = None,
    dump: str | None = None,
    report: str | None = None,
    show_dir: str | None = None,
    show_queries: int = 10,
    verbose: Switch = False,
    cfg_options: CfgOptions = None,
    launcher: Launcher = 'none',
    local_rank: LocalRank = 0,
) -> None:
    """Test a checkpoint.

    For example:

        mmtbps test work_dirs/cm-moco_tiny_toypedes
        mmtbps test my_config.py epoch_20.pth --report report
        mmtbps test --model nam --test-on mmtbps::_base_/datasets/rstp_reid.py

    Args:
        config: Config file, or its name; or the folder of a training, which has config and checkpoint.
        checkpoint: Checkpoint file.
        model: A model by name, such as nam, instead of these.
        work_dir: Folder for logs (default: work_dirs/CONFIG).
        test_on: Test on the test set of this config (direct transfer).
        out: Write the metrics to this file (.json, .yaml or .pkl).
        dump: Write all features to this file (.npz).
        report: Write metrics, ranks per query, plots and the worst queries into this folder.
        show_dir: Draw ranked lists into this folder.
        show_queries: Number of ranked lists to draw.
        verbose: Show the whole log on the terminal.
    """
    import tempfile

    from mmengine.dist import is_main_process

    from mmtbps.apis import runs
    from mmtbps.apis.options import ranking_settings, use_test_set
    from mmtbps.apis.reports.writer import write_report
    from mmtbps.engine.kind_checks import check_kinds
    from mmtbps.evaluation import load_features
    from mmtbps.visualization import draw_ranked_lists
    from mmtbps.zoo import read_config

    require_metrics_file(out)
    if show_queries < 1:
        raise ValueError(f'--show-queries must be at least 1, got {show_queries}.')
    set_local_rank(local_rank)
    named, weights = _tested(config, checkpoint, model)
    cfg = read_config(named)
    if test_on:
        use_test_set(cfg, read_config(test_on))
    check_kinds(override(cfg, cfg_options))
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(model or named).stem)
    cfg.launcher = launcher
    if verbose:
        cfg.merge_from_dict({'default_hooks.terminal': None})
    with tempfile.TemporaryDirectory() as scratch:
        wanted = show_dir or report
        features = dump or (str(Path(scratch) / 'features.npz') if wanted else None)
        ranking = ranking_settings(cfg) if report else {}
        metrics = runs.test(cfg, str(weights), features)
        if not is_main_process():
            return
        if out:
            write_metrics(metrics, out)
        if report:
            write_report(load_features(str(features)), report, **ranking)
        if show_dir:
            draw_ranked_lists(str(features), show_dir, show_queries)


def _tested(config: str | None, checkpoint: str | None, model: str | None) -> tuple[str | Path, str | Path]:
    """Config and weights that the command line names, in one of three ways."""
    from mmtbps.zoo import require_named
    from mmtbps.zoo.models import is_model

    if model is not None and config is None and checkpoint is None:
        return require_named(model)
    if model is None and config is not None:
        if checkpoint is not None:
            return config, checkpoint
        if is_model(config):
            return require_named(config)
    raise ValueError('Name the model by CONFIG CHECKPOINT, by the folder of a training, or by its name (--model NAME).')
