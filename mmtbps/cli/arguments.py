"""Arguments that several commands have."""

import argparse
from pathlib import Path

from mmtbps.zoo import require_named

__all__ = ['add_device', 'add_model', 'model_of']


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a model."""
    parser.add_argument(
        '--model', metavar='NAME',
        help='a model by name, such as nam (mmtbps models lists all), clip-vit-b16@TAG or @FILE of open_clip, or the '
        'folder of a training',
    )  # fmt: skip
    parser.add_argument('--config', help='config of the model, instead of --model')
    parser.add_argument('--checkpoint', help='weights of the model, with --config, or other ones than those of --model')


def model_of(args: argparse.Namespace) -> tuple[str | Path, str | Path]:
    """Give config and weights of the model that the options name.

    Raises:
        FileNotFoundError: If there are no such files, and they cannot be fetched.
        ValueError: If they name none or two.
    """
    if args.model and not args.config:
        config, weights = require_named(args.model)
        return config, args.checkpoint or weights
    if args.model or not (args.config and args.checkpoint):
        given = 'both --model and --config' if args.model else 'neither'
        raise ValueError(f'Name the model by --model NAME, or by --config and --checkpoint; got {given}.')
    return args.config, args.checkpoint


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where a model runs."""
    parser.add_argument('--device', help='where the model runs (default: cuda if there is one, else cpu)')
