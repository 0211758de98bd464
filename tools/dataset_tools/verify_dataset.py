"""List what is wrong with a data set: missing and undecodable images, odd captions, counts per split."""

import argparse
import json
import sys

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.datasets.verify import datasets_of_config, format_report, verify_dataset


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool; return 1 if something is broken."""
    args = parse_args(argv)
    if args.data_root is None:
        cfg, prefix = Config.fromfile(args.source), ''
    else:
        dataset = dict(type=args.source, data_root=args.data_root)
        cfg, prefix = Config(dict(test_dataloader=dict(dataset=dataset))), 'test_dataloader.dataset.'
    cfg.merge_from_dict({prefix + key: value for key, value in args.cfg_options.items()})
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    reports = [verify_dataset(dataset, args.workers) for dataset in datasets_of_config(cfg)]
    print('\n'.join(format_report(report) for report in reports))
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump(reports, file, indent=2)
    return int(any(report['broken'] for report in reports))


if __name__ == '__main__':
    sys.exit(main())
