"""Publish a checkpoint: weights of the encoders and metadata, the beginning of the file's SHA-256 in its name."""

import argparse

from mmtbps.converters import publish_checkpoint
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.models import DualStreamRetriever


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('in_file', help='checkpoint to read')
    parser.add_argument('out_file', help='name of the file to write; model.pth becomes model-0123abcd.pth')
    parser.add_argument(
        '--encoders',
        nargs='+',
        default=DualStreamRetriever.encoders,
        help=f'parts whose weights to keep (default: {" ".join(DualStreamRetriever.encoders)})',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    published = publish_checkpoint(args.in_file, args.out_file, args.encoders)
    if published.left_out:
        print(f'Left out: {", ".join(published.left_out)}.')
    if published.absent:
        print(f'{args.in_file} has no weights of {", ".join(published.absent)}.')
    print(published.path)


if __name__ == '__main__':
    run_command(main)
