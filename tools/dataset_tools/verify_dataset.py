"""Check a data set: missing and undecodable images, suspicious captions, counts per split."""

import argparse
from pathlib import Path

from mmengine.config import DictAction
from mmengine.registry import init_default_scope

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.core.json_text import format_json
from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.verify import config_of_class, datasets_of_config, format_report, verify_dataset
from mmtbps.zoo.configs import read_config
from mmtbps.zoo.models import is_model


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('source', help='config file, or class of the data set such as CUHKPEDES')
    parser.add_argument('data_root', nargs='?', help='folder of the data set, if a class is given')
    parser.add_argument('--json', metavar='OUT', help='write the reports to this file')
    parser.add_argument('--workers', type=int, help='threads that decode images (default: by the number of CPUs)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings of the config, or give arguments of the class: key=value ...',
    )
    args = parser.parse_args(argv)
    if args.data_root is None and not (Path(args.source).is_file() or '::' in args.source or is_model(args.source)):
        parser.error(f'{args.source} is no config file; give the data root too if it is a class')
    return args


def find_datasets(args: argparse.Namespace) -> list[TBPSDataset]:
    """Build the data sets that the command line names, without reading them."""
    if args.data_root is None:
        cfg, prefix = read_config(args.source), ''
    else:
        cfg, prefix = config_of_class(args.source, args.data_root), 'test_dataloader.dataset.'
    cfg.merge_from_dict({prefix + key: value for key, value in args.cfg_options.items()})
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    return datasets_of_config(cfg)


def main(argv: list[str] | None = None) -> int:
    """Run the tool; return 1 if the data set has faults."""
    args = parse_args(argv)
    try:
        datasets = find_datasets(args)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'{args.source}: {error} Arguments of a class are given by --cfg-options key=value.'
        ) from error
    reports = [verify_dataset(dataset, args.workers) for dataset in datasets]
    print('\n'.join(format_report(report) for report in reports))
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            file.write(format_json(reports))
    return int(any(report['broken'] for report in reports))


if __name__ == '__main__':
    run_command(main)
