"""Draw images and captions of some persons as points in a plane."""

import argparse

from mmtbps.core.commands import EPILOG, run_command
from mmtbps.visualization import draw_embedding_map


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('features', help='file that tools/test.py --dump wrote (.npz)')
    parser.add_argument('out', help='picture to write')
    parser.add_argument('--method', choices=['pca', 'tsne'], default='pca', help='projection (default: pca)')
    parser.add_argument('--persons', type=int, default=12, help='number of persons (default: 12)')
    parser.add_argument('--seed', type=int, default=0, help='seed of t-SNE (default: 0)')
    args = parser.parse_args(argv)
    draw_embedding_map(args.features, args.out, args.method, args.persons, args.seed)


if __name__ == '__main__':
    run_command(main)
