"""Encode images with any number of processes, into shards for tools/search.py index --from-shards."""

import argparse
import os

from mmengine.dist import is_main_process

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.cli.arguments import add_model, model_of
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.engine import start_processes
from mmtbps.search import MetadataSource, ModelEncoder, list_images
from mmtbps.search.shard_set import extract_shards


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('images', help='folder of images')
    add_model(parser)
    parser.add_argument('--out', required=True, help='folder of the shards, shared by all processes')
    parser.add_argument('--metadata', metavar='TABLE', help='CSV or JSONL of metadata with a column path')
    parser.add_argument('--pattern', help=r"metadata from paths: a regular expression such as '(?P<camera>c\d+)_'")
    parser.add_argument('--shard-size', type=int, default=8192, help='images per shard (default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=64, help='images per batch (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=2, help='loading processes per process (default: %(default)s)')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    start_processes(args.launcher)
    encoder = ModelEncoder(*model_of(args))
    metadata = MetadataSource(args.metadata, args.pattern)
    listing = list_images(args.images, metadata)
    remarks = [*listing.remarks, *metadata.require_met(listing.images[0].path)]
    manifest = extract_shards(encoder, listing.images, args.out, args.shard_size, args.batch_size, args.workers)
    if is_main_process():
        counts = [sum(entry[key] for entry in manifest['shards']) for key in ('images', 'broken')]
        print(f'{counts[0]} images in {len(manifest["shards"])} shards, {counts[1]} broken images left out')
        print('\n'.join(remarks), end='\n' if remarks else '')


if __name__ == '__main__':
    run_command(main)
