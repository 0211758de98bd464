"""``mmtbps convert``: a checkpoint of another code base as one of ours, or back."""

import argparse

from mmtbps.converters import convert_file, layout_names, parse_options, revert_file
from mmtbps.core.commands import EPILOG

__all__ = ['main']


def main(argv: list[str] | None = None, prog: str | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog=prog, epilog=EPILOG,
        description='Convert a checkpoint of another code base; its layout is recognised by its names. Beside the '
        'checkpoint a config is written that reproduces the preprocessing of its authors.',
    )  # fmt: skip
    parser.add_argument('source', help='the checkpoint, or a folder of open_clip')
    parser.add_argument('target', help='the checkpoint to write, ending in .pth')
    parser.add_argument('--layout', choices=layout_names(), help='layout of the checkpoint (default: recognised)')
    parser.add_argument(
        '--option', metavar='KEY=VALUE', action='append', default=[],
        help='what weights do not tell, such as input_size=384x128 or quick_gelu=true; may be repeated',
    )  # fmt: skip
    parser.add_argument('--words', metavar='TEXT', help='layout textreid: the word of every row, one a line')
    parser.add_argument('--word-table', metavar='FILE', help='layout textreid: vectors of the words, .npy or .pth')
    parser.add_argument('--reverse', action='store_true', help='write a checkpoint of ours in the --layout of others')
    parser.add_argument(
        '--learnt-words', action='store_true', help='with --reverse, layout textreid: the word vectors were learnt'
    )
    args = parser.parse_args(argv)
    if args.reverse:
        if args.layout is None:
            parser.error('--reverse needs --layout, the layout to write')
        names = revert_file(args.source, args.target, args.layout, args.learnt_words)
        print(f'{args.target}: {len(names)} weights in the layout {args.layout}, as {{"model": ...}}')
        return
    options = parse_options(args.option)
    converted = convert_file(
        args.source, args.target, args.layout, options, words=args.words, word_table=args.word_table
    )
    left = f'; left out, since only training needs them: {len(converted.left_out)}' if converted.left_out else ''
    print(f'{args.target}: {len(converted.weights)} weights of the layout {converted.layout}{left}')
