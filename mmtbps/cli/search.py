"""``mmtbps search``: index a gallery of images once, then query it with sentences."""

import argparse
import sys
from pathlib import Path
from typing import Any

from mmengine.config import DictAction

from mmtbps.core.commands import EPILOG
from mmtbps.core.json_text import format_json
from mmtbps.core.text import printable
from mmtbps.search import MetadataSource, Searcher
from mmtbps.search.answers import describe_answer, draw_answers, format_answer, read_sentences, write_answers
from mmtbps.search.encoders.rebuild import rebuild_encoder
from mmtbps.search.generations import verify_gallery
from mmtbps.search.listing import list_images
from mmtbps.search.query_notes import QueryNotes, join_notes, note_on
from mmtbps.search.shard_set import SHARD_MANIFEST, read_shard_manifest
from mmtbps.zoo import require_named

from .arguments import add_device, add_model, model_of

__all__ = ['main']


def parse_args(argv: list[str] | None = None, prog: str | None = None) -> argparse.Namespace:
    """Read the command line."""
    description = 'Search a gallery of images with sentences: index it once, then query it.'
    parser = argparse.ArgumentParser(prog=prog, description=description, epilog=EPILOG)
    commands = parser.add_subparsers(dest='command', required=True)
    index = commands.add_parser('index', help='encode images into a gallery; a second run updates it')
    index.set_defaults(run=run_index)
    index.add_argument('images', nargs='*', help='folders or image files')
    add_model(index)
    index.add_argument('--onnx', metavar='FOLDER', help='an exported model, instead of these')
    index.add_argument('--out', required=True, metavar='GALLERY', help='folder of the gallery')
    index.add_argument('--from-shards', metavar='FOLDER', help='add features that tools/extract.py extracted')
    index.add_argument('--metadata', metavar='TABLE', help='CSV or JSONL of metadata with a column path')
    index.add_argument('--pattern', help=r"metadata from paths: a regular expression such as '(?P<camera>c\d+)_'")
    index.add_argument('--index', metavar='TYPE', help='ExactIndex (default), FaissFlat, FaissHNSW, FaissIVFPQ, ...')
    index.add_argument('--index-options', nargs='+', action=DictAction, default={}, help='its arguments: key=value ...')
    index.add_argument('--batch-size', type=int, default=64, help='images per batch (default: %(default)s)')
    index.add_argument('--workers', type=int, default=2, help='processes that load images (default: %(default)s)')
    add_device(index)
    add_trust(index)

    query = commands.add_parser('query', help='find images')
    query.set_defaults(run=run_query)
    query.add_argument('gallery', help='folder of the gallery')
    query.add_argument('sentences', nargs='*', help='descriptions of a person')
    query.add_argument('--csv', metavar='TABLE', help='read sentences from the column sentence of a CSV or JSONL')
    query.add_argument('--image', help='search with an image file instead')
    query.add_argument('--topk', type=int, help='images per sentence (default: 10, or all if there are fewer)')
    query.add_argument('--min-score', type=float, help='lowest cosine of a result; without one "no match" is printed')
    query.add_argument('--where', nargs='+', metavar='CONDITION', help="such as 'camera = c1' 'time >= 1200'")
    query.add_argument('--rerank', metavar='TYPE', help='NeighborJaccard, KReciprocal or QueryExpansion')
    query.add_argument('--show', metavar='PNG', help='draw the results')
    query.add_argument('--json', action='store_true', help='print the results as JSON')
    query.add_argument('--out', metavar='CSV', help='write the results to this file')
    query.add_argument('--template', help="put every sentence into this one, such as 'a photo of {}'")
    query.add_argument('--checkpoint', help='weights of the model, if they have been moved')
    query.add_argument('--model', metavar='NAME', help='the model by name, if its weights have been moved')
    query.add_argument(
        '--onnx', metavar='FOLDER', help='run this exported model instead of the one stored in the gallery'
    )
    add_device(query)
    add_trust(query)
    add_index_options(query)

    remove = commands.add_parser('remove', help='remove images from a gallery; the files stay')
    remove.set_defaults(run=run_remove)
    remove.add_argument('gallery', help='folder of the gallery')
    remove.add_argument('paths', nargs='+', help='image files or folders')
    add_trust(remove)
    add_index_options(remove)

    verify = commands.add_parser('verify', help='compare every file of a gallery with its checksum')
    verify.set_defaults(run=run_verify)
    verify.add_argument('gallery', help='folder of the gallery')
    # argparse takes no more words for a list that may be empty once an option has come.
    args, rest = parser.parse_known_args(argv)
    words = {'index': 'images', 'query': 'sentences'}.get(args.command)
    if rest and (words is None or any(word.startswith('-') for word in rest)):
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    if words is not None:
        getattr(args, words).extend(rest)
    return args


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the option that allows data to name classes of a module."""
    parser.add_argument(
        '--trust', metavar='MODULE', action='append', default=[],
        help="import this module, which classes of the gallery's model are from; may be repeated",
    )  # fmt: skip


def add_index_options(parser: argparse.ArgumentParser) -> None:
    """Add the option that gives a stored index what a gallery does not decide."""
    parser.add_argument(
        '--index-options', nargs='+', action=DictAction, default={},
        help='arguments of the index that the gallery does not decide, such as uri=http://host:19530',
    )  # fmt: skip


def exported_model(args: argparse.Namespace) -> dict[str, Any]:
    """The encoder that runs the graphs of ``--onnx``."""
    return dict(type='ONNXEncoder', folder=args.onnx, device=args.device, trusted_modules=args.trust)


def run_index(args: argparse.Namespace) -> None:
    """Create or update a gallery."""
    kind = dict(args.index_options, type=args.index) if args.index else None
    if args.from_shards:
        file = Path(args.from_shards, SHARD_MANIFEST)
        encoder = rebuild_encoder(read_shard_manifest(args.from_shards), file, args.device, trusted_modules=args.trust)
        print(Searcher(encoder, kind, trusted_modules=args.trust).gallery.add_shards(args.from_shards, args.out))
        return
    if not args.images:
        raise ValueError('index needs images, or else --from-shards.')
    if args.onnx:
        searcher = Searcher(exported_model(args), kind, trusted_modules=args.trust)
    else:
        searcher = Searcher.from_config(*model_of(args), args.device, kind)
    metadata = MetadataSource(args.metadata, args.pattern) if args.metadata or args.pattern else None
    options = dict(metadata=metadata, batch_size=args.batch_size, num_workers=args.workers)
    if metadata is not None and len(args.images) > 1:
        for images in args.images:  # a table may be about one of several folders
            list_images(images, metadata)
    try:
        with searcher.gallery.updating(args.out):
            for images in args.images:
                print(searcher.index(images, **options))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt('What is finished is kept: the same command goes on from there.') from error


def run_query(args: argparse.Namespace) -> None:
    """Search with sentences or an image."""
    sentences = [*args.sentences, *(read_sentences(args.csv) if args.csv else [])]
    if bool(sentences) == bool(args.image):
        raise ValueError('query needs a sentence, --csv or --image, and not sentences and an image at once.')
    sentences = [fill(args.template, sentence) for sentence in sentences]
    encoder = exported_model(args) if args.onnx else None
    checkpoint = require_named(args.model)[1] if args.model else args.checkpoint
    searcher = Searcher.load(args.gallery, encoder, checkpoint, args.device, args.index_options, args.trust)
    topk = max(1, min(10, len(searcher))) if args.topk is None else args.topk
    options = dict(topk=topk, rerank=args.rerank, min_score=args.min_score, where=args.where)
    if args.image:
        answers, notes = [(args.image, searcher.search_by_image(args.image, **options))], [QueryNotes({})]
    else:
        answers = list(zip(sentences, searcher.search(sentences, **options), strict=True))
        notes = [note_on(searcher.encoder, sentence) for sentence in sentences]
        for line in join_notes(notes).lines:
            print(printable(line), file=sys.stderr)
    if args.json:
        print(format_json([describe_answer(*answer, note) for answer, note in zip(answers, notes, strict=True)]))
    else:
        print('\n'.join(format_answer(query, results) for query, results in answers))
    if args.out:
        write_answers(args.out, answers)
    if args.show:
        draw_answers(args.show, answers)


def fill(template: str | None, sentence: str) -> str:
    """Put a sentence into a template."""
    if template is None:
        return sentence
    if template.count('{}') != 1:
        raise ValueError(f'--template must contain {{}} once, where the sentence goes, got {template!r}.')
    return template.replace('{}', sentence)


def run_remove(args: argparse.Namespace) -> None:
    """Remove images from a gallery."""
    searcher = Searcher.load(args.gallery, index=args.index_options, trusted_modules=args.trust)
    print(f'{searcher.gallery.remove(args.paths)} images removed, {len(searcher)} left')


def run_verify(args: argparse.Namespace) -> None:
    """Compare every file of a gallery with its checksum."""
    damaged = verify_gallery(args.gallery)
    if damaged:
        raise ValueError(' '.join(damaged))
    print(f'{args.gallery}: every file is as it was written')


def main(argv: list[str] | None = None, prog: str | None = None) -> None:
    """Run the command."""
    args = parse_args(argv, prog)
    args.run(args)
