"""Search galleries from a web page on this machine. Create them with tools/search.py index."""

import argparse

from mmengine.config import DictAction

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.cli.arguments import add_device
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.search.web import EXAMPLES, Galleries, UploadLimits, serve
from mmtbps.zoo import require_named


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('galleries', nargs='+', metavar='GALLERY', help='folder of a gallery; the page offers all')
    parser.add_argument('--host', default='127.0.0.1', help='address to listen on (default: %(default)s, this machine)')
    parser.add_argument('--port', type=int, help='port to listen on (default: the first free one from 7860)')
    parser.add_argument(
        '--root-path', metavar='PATH', help='path such as /find, or address, under which a proxy in front serves the page'
    )
    parser.add_argument(
        '--examples', nargs='*', default=EXAMPLES, metavar='SENTENCE', help='sentences offered for a click'
    )
    parser.add_argument('--read-only', action='store_true', help='do not let visitors add images')
    limits = UploadLimits()
    parser.add_argument(
        '--max-megabytes', type=float, default=limits.megabytes, help='size of an added file (default: %(default)s)'
    )
    parser.add_argument(
        '--max-files', type=int, default=limits.files, help='files added at a time (default: %(default)s)'
    )
    parser.add_argument('--checkpoint', help='weights of the model, if they have been moved')
    parser.add_argument('--model', metavar='NAME', help='the model by name, if its weights have been moved')
    add_device(parser)
    parser.add_argument(
        '--trust', metavar='MODULE', action='append', default=[],
        help="import this module, which classes of the galleries' models are from; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        '--index-options', nargs='+', action=DictAction, default={},
        help='arguments of the indexes that a gallery does not decide, such as uri=http://host:19530',
    )  # fmt: skip
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Serve the page until Ctrl-C."""
    args = parse_args(argv)
    limits = None if args.read_only else UploadLimits(megabytes=args.max_megabytes, files=args.max_files)
    checkpoint = require_named(args.model)[1] if args.model else args.checkpoint
    galleries = Galleries.load(args.galleries, checkpoint, args.device, limits, args.index_options, args.trust)
    serve(galleries, args.host, args.port, args.examples, args.root_path)


if __name__ == '__main__':
    run_command(main)
