"""Draw saliency maps of an image for a sentence and for words of it."""

import argparse

from mmengine.config import DictAction

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.cli.arguments import add_device
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.search import ModelEncoder
from mmtbps.search.saliency import draw_saliency
from mmtbps.zoo import read_config


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('image', help='image file')
    parser.add_argument('sentence', help='description of the person')
    parser.add_argument('out', help='picture to write')
    parser.add_argument('--words', nargs='+', default=[], help='words of the sentence to draw a map of each')
    add_device(parser)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override settings of the config: key=value ...'
    )
    args = parser.parse_args(argv)
    cfg = read_config(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    encoder = ModelEncoder(cfg, args.checkpoint, args.device)
    draw_saliency(encoder, args.image, args.sentence, args.words, args.out)
    print(f'written: {args.out}')


if __name__ == '__main__':
    run_command(main)
