"""Print the table trained on x tested on: every model on the test set of every data set."""

import argparse

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.apis.transfer import format_transfers, run_transfers
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.core.files import write_atomically
from mmtbps.core.json_text import format_json
from mmtbps.zoo import read_config

DATA = [f'mmtbps::_base_/datasets/{name}.py' for name in ('cuhk_pedes', 'icfg_pedes', 'rstp_reid', 'toypedes')]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument(
        '--model', nargs=2, action='append', required=True, metavar=('CONFIG', 'CHECKPOINT'), help='once per model'
    )
    parser.add_argument(
        '--test-on', nargs='+', default=DATA, metavar='CONFIG', help='configs of the test sets (default: all four)'
    )
    parser.add_argument('--metrics', nargs='+', default=['t2i/R@1', 't2i/mAP'], help='(default: %(default)s)')
    parser.add_argument('--work-dir', default='work_dirs/transfer', help='folder for logs (default: %(default)s)')
    parser.add_argument('--out', metavar='JSON', help='write all metrics to this file')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    cells = run_transfers(args.model, [read_config(name) for name in args.test_on], args.work_dir)
    print(format_transfers(cells, args.metrics))
    if args.out:
        write_atomically(args.out, format_json([cell._asdict() for cell in cells]).encode())


if __name__ == '__main__':
    run_command(main)
