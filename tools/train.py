"""Train a retriever, then test its best epoch."""

import argparse
import os
from pathlib import Path

from mmengine.config import DictAction
from mmengine.dist import is_main_process
from mmengine.fileio import dump

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.apis import train
from mmtbps.apis.options import apply_train_options
from mmtbps.core.commands import EPILOG, hidden_error, run_command
from mmtbps.engine.resuming import describe_resumption
from mmtbps.zoo import read_config


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or without a value from the latest one in the work directory',
    )
    parser.add_argument('--out', help='write the metrics of the test to this file (.json, .yaml or .pkl)')
    parser.add_argument('--amp', action='store_true', help='mixed precision: fp16 with a scaler on GPU, bf16 on CPU')
    parser.add_argument('--no-validate', action='store_true', help='no validation; the last epoch is tested')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override settings of the config: key=value ...'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = read_config(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.config).stem)
    cfg.launcher = args.launcher
    cfg = apply_train_options(
        cfg, resume=args.resume, amp=args.amp, validate=not args.no_validate, auto_scale_lr=args.auto_scale_lr
    )
    try:
        metrics = train(cfg)
    except (KeyboardInterrupt, SyntaxError) as error:
        if isinstance(hidden_error(error), KeyboardInterrupt):
            raise KeyboardInterrupt(describe_resumption(cfg.work_dir)) from error
        raise
    if args.out and is_main_process():
        dump(metrics, args.out)


if __name__ == '__main__':
    run_command(main)
