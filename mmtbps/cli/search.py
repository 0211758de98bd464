"""``mmtbps search``: index a gallery of images once, then query it with sentences."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from .arguments import Device, Model, Switch, Trusted, Words, Workers, moved_weights
from .settings import pairs

if TYPE_CHECKING:
    from mmtbps.search import Searcher
    from mmtbps.search.query_notes import QueryNotes

__all__ = ['index', 'query', 'remove', 'verify_files']

IndexOptions = Annotated[
    list[str] | None,
    Parameter(
        consume_multiple=True,
        help='Arguments of the index that the gallery does not decide, such as `uri=http://host:19530`.',
    ),
]
_NO_MODEL = Model()


def index(
    *images: str,
    out: str,
    named: Model = _NO_MODEL,
    onnx: str | None = None,
    from_shards: str | None = None,
    metadata: str | None = None,
    pattern: str | None = None,
    index: str | None = None,
    index_options: Words = None,
    batch_size: int = 64,
    workers: Workers = 2,
    device: Device = None,
    trust: Trusted = None,
) -> None:
    r"""Encode images into a gallery; a second run updates it.

    For example:

        mmtbps search index crops/ --model nam --out gallery
        mmtbps search index crops/ --model work_dirs/mine --metadata crops.csv --out gallery

    Args:
        images: Folders or image files.
        out: Folder of the gallery.
        onnx: Folder of an exported model, instead of these.
        from_shards: Add features that `mmtbps extract` wrote into this folder.
        metadata: CSV or JSONL of metadata with a column path.
        pattern: Metadata from paths: a regular expression such as `(?P<camera>c\d+)_`.
        index: Its type: ExactIndex (default), FaissFlat, FaissHNSW, FaissIVFPQ, ...
        index_options: Its arguments: `key=value ...`.
        batch_size: Images per batch.
        workers: Processes that load images.
    """
    from mmtbps.search import MetadataSource, Searcher
    from mmtbps.search.listing import list_images

    trusted = trust or []
    kind = dict(pairs(index_options), type=index) if index else None
    if from_shards:
        _add_shards(from_shards, out, kind, device, trusted)
        return
    if not images:
        raise ValueError('index needs images, or else --from-shards.')
    weights = [image for image in images if Path(image).suffix == '.pth' and Path(image).is_file()]
    if weights:
        raise ValueError(f'{weights[0]} is a checkpoint, not an image; --checkpoint takes one.')
    if onnx:
        searcher = Searcher(_exported(onnx, device, trusted), kind, trusted_modules=trusted)
    else:
        searcher = Searcher.from_config(*named.files(), device, kind)
    facts = MetadataSource(metadata, pattern) if metadata or pattern else None
    if facts is not None and len(images) > 1:
        for folder in images:  # a table may be about one of several folders
            list_images(folder, facts)
    try:
        with searcher.gallery.updating(out):
            for folder in images:
                print(searcher.index(folder, metadata=facts, batch_size=batch_size, num_workers=workers))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt('What is finished is kept: the same command goes on from there.') from error


def _exported(folder: str, device: str | None, trusted: list[str]) -> dict[str, Any]:
    """The encoder that runs the graphs of ``--onnx``."""
    return dict(type='ONNXEncoder', folder=folder, device=device, trusted_modules=trusted)


def _add_shards(shards: str, out: str, kind: dict | None, device: str | None, trusted: list[str]) -> None:
    from mmtbps.search import Searcher
    from mmtbps.search.encoders.rebuild import rebuild_encoder
    from mmtbps.search.shard_set import SHARD_MANIFEST, read_shard_manifest

    encoder = rebuild_encoder(
        read_shard_manifest(shards), Path(shards, SHARD_MANIFEST), device, trusted_modules=trusted
    )
    print(Searcher(encoder, kind, trusted_modules=trusted).gallery.add_shards(shards, out))


def query(
    gallery: str,
    /,
    *sentences: str,
    csv: str | None = None,
    image: str | None = None,
    topk: int | None = None,
    min_score: float | None = None,
    where: Words = None,
    rerank: str | None = None,
    show: str | None = None,
    json: Switch = False,
    out: str | None = None,
    archive: Annotated[str | None, Parameter(name='--zip')] = None,
    template: str | None = None,
    checkpoint: str | None = None,
    model: str | None = None,
    onnx: str | None = None,
    device: Device = None,
    trust: Trusted = None,
    index_options: IndexOptions = None,
) -> None:
    """Find images that a sentence describes.

    For example:

        mmtbps search query gallery "a woman in a red coat" --show answer.png
        mmtbps search query gallery "a man with a bag" --where "time >= 1200"

    Args:
        gallery: Folder of the gallery.
        sentences: Descriptions of a person. Without any, they are typed one after the other.
        csv: Read sentences from the column sentence of a CSV or JSONL.
        image: Search with an image file instead.
        topk: Images per sentence, or all if there are fewer (default: 10).
        min_score: Lowest cosine of a result; without one "no match" is printed.
        where: Conditions on metadata, such as `'camera = c1' 'time >= 1200'`.
        rerank: NeighborJaccard, KReciprocal or QueryExpansion.
        show: Draw the results into this PNG.
        json: Print the results as JSON.
        out: Write the results to this CSV.
        archive: Write the images of the answer, and a table of them, to this ZIP.
        template: Put every sentence into this one, such as `a photo of {}`.
        checkpoint: Weights of the model, if they have been moved.
        model: The model by name, if its weights have been moved.
        onnx: Run the exported model of this folder instead of the one stored in the gallery.
    """
    from mmtbps.core.text import printable
    from mmtbps.search import Searcher
    from mmtbps.search.answers import read_sentences
    from mmtbps.search.query_notes import QueryNotes

    asked = [*sentences, *(read_sentences(csv) if csv else [])]
    typed = not asked and not image and sys.stdin is not None and sys.stdin.isatty()
    if bool(asked) == bool(image) and not typed:
        raise ValueError('query needs a sentence, --csv or --image, and not sentences and an image at once.')
    if archive and len(asked) > 1:
        raise ValueError(f'--zip takes the answer to one sentence, got {len(asked)} sentences.')
    asked = [_fill(template, sentence) for sentence in asked]
    encoder = _exported(onnx, device, trust or []) if onnx else None
    weights = moved_weights(model, checkpoint)
    searcher = Searcher.load(gallery, encoder, weights, device, pairs(index_options), trust or [])
    options: dict[str, Any] = dict(topk=topk, rerank=rerank, min_score=min_score, where=where)
    files = _Files(out, show, archive)
    if image:
        found = [(image, searcher.search_by_image(image, **options))]
        _tell_empty_filter(searcher, found, where)
        _report(found, [QueryNotes({})], json, files)
        return
    for batch in _typed(template) if typed else [asked]:
        try:
            _answer(searcher, batch, options, json, files)
        except ValueError as error:
            if not typed:
                raise
            print(printable(str(error)), file=sys.stderr)


class _Files(NamedTuple):
    """Files that an answer is written to."""

    out: str | None
    show: str | None
    archive: str | None


def _typed(template: str | None) -> Iterator[list[str]]:
    """Sentences that are typed one after the other, until an empty line: the model is loaded once."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # arrow keys and earlier sentences
    print('Type a sentence; an empty line ends.', file=sys.stderr)
    with contextlib.suppress(EOFError):
        while sentence := input('> ').strip():
            yield [_fill(template, sentence)]


def _answer(searcher: 'Searcher', asked: list[str], options: dict[str, Any], json: bool, files: _Files) -> None:
    from mmtbps.core.text import printable
    from mmtbps.search.query_notes import join_notes, note_on

    answers = list(zip(asked, searcher.search(asked, **options), strict=True))
    notes = [note_on(searcher.encoder, sentence) for sentence in asked]
    for line in join_notes(notes).lines:
        print(printable(line), file=sys.stderr)
    _tell_empty_filter(searcher, answers, options['where'])
    _report(answers, notes, json, files)


def _tell_empty_filter(searcher: 'Searcher', answers: list[tuple[str, Any]], where: list[str] | None) -> None:
    """Say that it is the conditions which leave no image."""
    from mmtbps.core.text import one_line
    from mmtbps.search import RowFilter, parse_where

    found = any(results for _, results in answers)
    if where and not found and not RowFilter(searcher.gallery.store, parse_where(where)).count:
        print(one_line(f'No image of the gallery meets: {", ".join(where)}'), file=sys.stderr)


def _report(answers: list[tuple[str, Any]], notes: list['QueryNotes'], json: bool, files: _Files) -> None:
    """Print answers and write their files."""
    from mmtbps.core.json_text import format_json
    from mmtbps.core.text import one_line
    from mmtbps.search.answer_files import write_archive
    from mmtbps.search.answers import describe_answer, draw_answers, format_answer, write_answers

    if json:
        print(format_json([describe_answer(*answer, note) for answer, note in zip(answers, notes, strict=True)]))
    else:
        print('\n'.join(format_answer(sentence, results) for sentence, results in answers))
    if files.out:
        write_answers(files.out, answers)
    unread = {
        **dict.fromkeys(draw_answers(files.show, answers) if files.show else [], files.show),
        **dict.fromkeys(write_archive(files.archive, answers[0][1]) if files.archive else [], files.archive),
    }
    for path, file in unread.items():
        print(f'{one_line(path)} cannot be read any more, and is not in {file}.', file=sys.stderr)
    for file in filter(None, files):
        print(f'written: {file}', file=sys.stderr)


def _fill(template: str | None, sentence: str) -> str:
    """Put a sentence into a template."""
    if template is None:
        return sentence
    if template.count('{}') != 1:
        raise ValueError(f'--template must contain {{}} once, where the sentence goes, got {template!r}.')
    return template.replace('{}', sentence)


def remove(
    gallery: str, first: str, /, *others: str, trust: Trusted = None, index_options: IndexOptions = None
) -> None:
    """Remove images from a gallery; the files stay.

    Args:
        gallery: Folder of the gallery.
        first: Image file or folder.
        others: Further ones.
    """
    searcher = _loaded(gallery, index_options, trust)
    print(f'{searcher.gallery.remove([first, *others])} images removed, {len(searcher)} left')


def _loaded(gallery: str, index_options: list[str] | None, trust: list[str] | None) -> 'Searcher':
    from mmtbps.search import Searcher

    return Searcher.load(gallery, index=pairs(index_options), trusted_modules=trust or [])


def verify_files(gallery: str, /) -> None:
    """Compare every file of a gallery with its checksum.

    Args:
        gallery: Folder of the gallery.
    """
    from mmtbps.search.generations import verify_gallery

    damaged = verify_gallery(gallery)
    if damaged:
        raise ValueError(' '.join(damaged))
    print(f'{gallery}: every file is as it was written')
