"""Test a checkpoint."""

import argparse
import os
import tempfile
from pathlib import Path

from mmengine.config import DictAction
from mmengine.dist import is_main_process
from mmengine.fileio import dump

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.apis import test
from mmtbps.apis.options import ranking_settings, use_test_set
from mmtbps.apis.reports.writer import write_report
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.evaluation import load_features
from mmtbps.visualization import draw_ranked_lists
from mmtbps.zoo import read_config, require_named


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('config', nargs='?', help='config file, or its name')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file')
    parser.add_argument('--model', metavar='NAME', help='a model by name, such as nam, instead of these')
    parser.add_argument('--work-dir', help='folder for logs (default: work_dirs/<config name>)')
    parser.add_argument('--test-on', metavar='CONFIG', help="test on this config's test set (direct transfer)")
    parser.add_argument('--out', help='write the metrics to this file (.json, .yaml or .pkl)')
    parser.add_argument('--dump', help='write all features to this file (.npz)')
    parser.add_argument('--report', metavar='DIR', help='write metrics, ranks per query, plots and the worst queries')
    parser.add_argument('--show-dir', help='draw ranked lists into this folder')
    parser.add_argument('--show-queries', type=int, default=10, help='number of ranked lists to draw (default: 10)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override settings of the config: key=value ...'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    if bool(args.model) == bool(args.checkpoint) or (args.model and args.config):
        parser.error('name the model by CONFIG CHECKPOINT or by --model NAME')
    if args.out and Path(args.out).suffix not in ('.json', '.yaml', '.yml', '.pkl'):
        parser.error(f'--out must end in .json, .yaml, .yml or .pkl, got {args.out}')
    if args.show_queries < 1:
        parser.error(f'--show-queries must be at least 1, got {args.show_queries}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    """Run the tool."""
    args = parse_args()
    config, checkpoint = require_named(args.model) if args.model else (args.config, args.checkpoint)
    cfg = read_config(config)
    if args.test_on:
        use_test_set(cfg, read_config(args.test_on))
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.model or config).stem)
    cfg.launcher = args.launcher
    with tempfile.TemporaryDirectory() as scratch:
        wanted = args.show_dir or args.report
        features = args.dump or (str(Path(scratch) / 'features.npz') if wanted else None)
        ranking = ranking_settings(cfg) if args.report else {}
        metrics = test(cfg, str(checkpoint), features)
        if is_main_process():
            if args.out:
                dump(metrics, args.out)
            if args.report:
                write_report(load_features(features), args.report, **ranking)
            if args.show_dir:
                draw_ranked_lists(features, args.show_dir, args.show_queries)


if __name__ == '__main__':
    run_command(main)
