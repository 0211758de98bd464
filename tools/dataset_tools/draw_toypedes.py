"""Draw the toy data set, which training also does by itself."""

import argparse

from mmtbps.core.commands import EPILOG, run_command
from mmtbps.datasets.toy_pedes import draw_toy_pedes
from mmtbps.toy import WORDINGS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('root', nargs='?', default='data/toypedes', help='data root to draw into')
    parser.add_argument('--num-train-ids', type=int, default=2500, help='identities of the training split')
    parser.add_argument('--num-val-ids', type=int, default=100, help='identities of the validation split')
    parser.add_argument('--num-test-ids', type=int, default=200, help='identities of the test split')
    parser.add_argument('--images-per-id', type=int, default=2, help='images of each identity')
    parser.add_argument('--seed', type=int, default=0, help='the same seed gives the same bytes')
    parser.add_argument(
        '--words', choices=WORDINGS, default='all', help="'unseen': test captions use words that training never shows"
    )
    return parser.parse_args(argv)


def main() -> None:
    """Run the tool."""
    root = draw_toy_pedes(**vars(parse_args()))
    print(f'The data set is in {root}.')


if __name__ == '__main__':
    run_command(main)
