"""``mmtbps fetch``: the weights of a published model, verified and converted."""

import argparse

from mmtbps.core.commands import EPILOG
from mmtbps.zoo import fetch_model

__all__ = ['main']


def main(argv: list[str] | None = None, prog: str | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog=prog, epilog=EPILOG,
        description='Fetch the weights of a published model, verify their SHA-256, and convert them. Everything lies '
        'in one folder, $MMTBPS_HOME or ~/.cache/mmtbps, which can be copied to a machine without network.',
    )  # fmt: skip
    parser.add_argument('name', help='name of the model; mmtbps models lists them')
    parser.add_argument('--file', metavar='PATH', help='the file, if it was fetched by other means; needs no network')
    parser.add_argument('--words', metavar='TEXT', help='textreid-*: the word of every row, one a line')
    parser.add_argument('--word-table', metavar='FILE', help='textreid-*: vectors of the words, .npy or .pth')
    args = parser.parse_args(argv)
    config, weights = fetch_model(args.name, args.file, words=args.words, word_table=args.word_table)
    print(f'{args.name}: {weights}, with {config.name} beside it. Use it: --model {args.name}')
