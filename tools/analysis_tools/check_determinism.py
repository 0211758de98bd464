"""Train twice from a config for a few iterations and name the first difference, if there is one."""

import argparse

from mmengine.config import DictAction

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.apis.determinism import find_first_difference
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.zoo import read_config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('config', help='config file')
    parser.add_argument('--iterations', type=int, default=20, help='iterations of each run (default: 20)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override settings of the config: key=value ...'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool; return 1 if the runs differ."""
    args = parse_args(argv)
    cfg = read_config(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    difference = find_first_difference(cfg, args.iterations)
    if difference is None:
        print(f'Two runs of {args.iterations} iterations are equal bit by bit.')
        return 0
    print(f'The first difference: {difference}.\nOn a GPU, set randomness.deterministic=True and compare again.')
    return 1


if __name__ == '__main__':
    run_command(main)
