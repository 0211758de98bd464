"""Convert a checkpoint of the public code of Han et al. (BMVC 2021) to mmtbps, or back."""

import argparse
import io
from typing import Any

import torch

from mmtbps.converters.textreid import WITHOUT_COUNTERPART, mmtbps_to_textreid, textreid_to_mmtbps
from mmtbps.converters.textreid_files import describe_data, load_table
from mmtbps.core.checkpoint import load_checkpoint_file, unwrap_weights
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.core.files import write_atomically


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
    parser.add_argument('--learnt-words', action='store_true', help='with --reverse: the word vectors were learnt')
    args = parser.parse_args(argv)
    if args.reverse and (args.word_table or args.words):
        parser.error('--word-table and --words go into checkpoints of mmtbps; leave them out with --reverse')
    return args


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    weights = unwrap_weights(load_checkpoint_file(args.src), args.src)
    content: dict[str, Any]
    if args.reverse:
        content = {'model': mmtbps_to_textreid(weights, args.learnt_words)}  # where its reader looks for them
        dropped = [
            name for name in WITHOUT_COUNTERPART if name in weights and not (args.learnt_words and 'table' in name)
        ]
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
