"""Publish a checkpoint: weights of the encoders and metadata, the beginning of the file's SHA-256 in its name."""

from mmtbps.cli import Command
from mmtbps.cli.arguments import Words
from mmtbps.core.commands import run_command


def publish(in_file: str, out_file: str, /, *, encoders: Words = None) -> None:
    """Publish a checkpoint: weights of the encoders and metadata, the beginning of the file's SHA-256 in its name.

    Args:
        in_file: Checkpoint to read.
        out_file: Name of the file to write; model.pth becomes model-0123abcd.pth.
        encoders: Parts whose weights to keep (default: streams and projections).
    """
    from mmtbps.converters import publish_checkpoint
    from mmtbps.models import DualStreamRetriever

    published = publish_checkpoint(in_file, out_file, encoders or DualStreamRetriever.encoders)
    if published.left_out:
        print(f'Left out: {", ".join(published.left_out)}.')
    if published.absent:
        print(f'{in_file} has no weights of {", ".join(published.absent)}.')
    print(published.path)


main = Command(publish)

if __name__ == '__main__':
    run_command(main)
