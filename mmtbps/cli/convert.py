"""``mmtbps convert``: a checkpoint of another code base as one of ours, or back."""

from .arguments import Switch, Words

__all__ = ['convert']


def convert(
    source: str,
    target: str,
    /,
    *,
    layout: str | None = None,
    option: Words = None,
    words: str | None = None,
    word_table: str | None = None,
    reverse: Switch = False,
    learnt_words: Switch = False,
) -> None:
    """Convert a checkpoint of another code base, or one of ours into another's layout.

    The layout is recognised by the names of the weights. Beside the checkpoint a config is written that reproduces the
    preprocessing of its authors.

    For example:

        mmtbps convert best.pth work_dirs/theirs.pth
        mmtbps convert work_dirs/mine/best_epoch.pth for_them.pth --reverse --layout irra

    Args:
        source: The checkpoint, or a folder of open_clip.
        target: The checkpoint to write, ending in .pth.
        layout: Layout of the checkpoint (default: recognised).
        option: What weights do not tell, such as `input_size=384x128` or `quick_gelu=true`; any number of them.
        words: Layout textreid: the word of every row, one a line.
        word_table: Layout textreid: vectors of the words, .npy or .pth.
        reverse: Write a checkpoint of ours in the --layout of others.
        learnt_words: With --reverse, layout textreid: the word vectors were learnt.
    """
    from mmtbps.converters import convert_file, parse_options, revert_file

    if reverse:
        if layout is None:
            raise ValueError('--reverse needs --layout, the layout to write.')
        if option or words is not None or word_table is not None:
            raise ValueError('--option, --words and --word-table go into checkpoints of ours; leave them out here.')
        names = revert_file(source, target, layout, learnt_words)
        print(f'{target}: {len(names)} weights in the layout {layout}, as {{"model": ...}}')
        return
    if learnt_words:
        raise ValueError('--learnt-words belongs to --reverse; leave it out.')
    options = parse_options(option or [])
    converted = convert_file(source, target, layout, options, words=words, word_table=word_table)
    left = f'; left out, since only training needs them: {len(converted.left_out)}' if converted.left_out else ''
    print(f'{target}: {len(converted.weights)} weights of the layout {converted.layout}{left}')
