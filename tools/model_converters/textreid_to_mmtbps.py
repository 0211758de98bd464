"""Convert a checkpoint of the public code of Han et al. (BMVC 2021) to mmtbps, or back."""

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.models.utils.textreid import mmtbps_to_textreid, textreid_to_mmtbps
from mmtbps.utils.checkpoint import load_checkpoint_file, write_atomically


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument('dst', help='checkpoint to write')
    parser.add_argument(
        '--word-table',
        help='vectors of the words, .npy or one tensor in .pth, row i for word id i; the public code keeps them apart',
    )
    parser.add_argument('--reverse', action='store_true', help='from mmtbps to the public code')
    args = parser.parse_args(argv)
    if args.reverse and args.word_table:
        parser.error('--word-table goes into checkpoints of mmtbps; leave it out with --reverse')
    return args


def load_weights(path: str) -> dict[str, Tensor]:
    """Load a state dict, also out of ``{'model': ...}`` or ``{'state_dict': ...}``."""
    checkpoint: dict[str, Any] = load_checkpoint_file(path)
    for key in ('model', 'state_dict'):
        if isinstance(checkpoint.get(key), dict):
            return checkpoint[key]
    return checkpoint


def load_table(path: str) -> Tensor:
    """Load vectors of words; nothing is unpickled but a tensor."""
    if Path(path).suffix == '.npy':
        return torch.from_numpy(np.load(path, allow_pickle=False))
    table = torch.load(path, map_location='cpu', weights_only=True)
    if not isinstance(table, Tensor):
        raise ValueError(f'{path} holds a {type(table).__name__}, not one tensor of word vectors')
    return table


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    weights = load_weights(args.src)
    content: dict[str, Any]
    if args.reverse:
        content = mmtbps_to_textreid(weights)
    else:
        table = load_table(args.word_table) if args.word_table else None
        content = {'meta': {}, 'state_dict': textreid_to_mmtbps(weights, table)}
        if table is None:
            print('Without --word-table the checkpoint has no word embedding; the model keeps its own.')
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(args.dst, buffer.getvalue())
    print(f'{args.dst}: {len(weights)} weights converted.')


if __name__ == '__main__':
    main()
