"""Convert a checkpoint of the public code of Han et al. (BMVC 2021) to mmtbps, or back."""

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.converters.textreid import WITHOUT_COUNTERPART, mmtbps_to_textreid, textreid_to_mmtbps
from mmtbps.core.checkpoint import load_checkpoint_file, unwrap_weights
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.core.files import write_atomically
from mmtbps.datasets import WordTokenizer


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument('dst', help='checkpoint to write')
    parser.add_argument(
        '--word-table',
        help='vectors of the words, .npy or one tensor in .pth, row i for word id i; the public code keeps them apart',
    )
    parser.add_argument(
        '--words',
        help="the word of every row, one a line, as in the vocabulary.txt of a run: '<pad>', '<unk>', then the words; "
        'with them the checkpoint answers sentences without an annotation file',
    )
    parser.add_argument('--reverse', action='store_true', help='from mmtbps to the public code')
    args = parser.parse_args(argv)
    if args.reverse and (args.word_table or args.words):
        parser.error('--word-table and --words go into checkpoints of mmtbps; leave them out with --reverse')
    return args


def load_table(path: str) -> Tensor:
    """Load vectors of words; nothing is unpickled but a tensor."""
    if Path(path).suffix == '.npy':
        return torch.from_numpy(np.load(path, allow_pickle=False))
    table = torch.load(path, map_location='cpu', weights_only=True)
    if not isinstance(table, Tensor):
        raise ValueError(f'{path} holds a {type(table).__name__}, not one tensor of word vectors')
    return table


def describe_data(path: str, state: dict[str, Tensor]) -> dict[str, Any]:
    """Make the ``dataset_meta`` of a checkpoint from the words of its rows.

    The public code names no identities; its classes are taken for them, so that their number is known.
    """
    words = Path(path).read_text(encoding='utf-8').splitlines()
    try:
        meta: dict[str, Any] = {'vocabulary': WordTokenizer(vocabulary=words).vocabulary}
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    table = state.get('text_stream.backbone.table.weight')
    if table is not None and len(table) != len(words):
        raise ValueError(f'{path} has {len(words)} words, but the word table {len(table)} rows; give a word for each.')
    if 'heads.identity.projection' in state:
        meta['person_ids'] = list(range(state['heads.identity.projection'].shape[1]))
    return meta


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    weights = unwrap_weights(load_checkpoint_file(args.src), args.src)
    content: dict[str, Any]
    if args.reverse:
        content = mmtbps_to_textreid(weights)
        dropped = [name for name in WITHOUT_COUNTERPART if name in weights]
        if dropped:
            print(f'Left out, since the public code keeps no such weights: {", ".join(dropped)}.')
        print(f'Words are not taken along either: keep {args.src}.')
    else:
        table = load_table(args.word_table) if args.word_table else None
        state = textreid_to_mmtbps(weights, table)
        content = {'meta': {}, 'state_dict': state}
        if args.words:
            content['meta']['dataset_meta'] = describe_data(args.words, state)
        else:
            print('Without --words the checkpoint names no words; a test or search by it alone is refused.')
        if table is None:
            print('Without --word-table the checkpoint has no word embedding; the model keeps its own.')
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(args.dst, buffer.getvalue())
    print(f'{args.dst}: {len(weights)} weights converted.')


if __name__ == '__main__':
    run_command(main)
