"""Search results as text, tables and pictures."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.core.files import write_atomically
from mmtbps.core.images import read_image
from mmtbps.core.text import one_line, printable
from mmtbps.visualization import draw_ranking

from .answer_files import safe_cell
from .query_notes import QueryNotes
from .results import SearchResult
from .tables import read_table

__all__ = ['describe_answer', 'draw_answers', 'format_answer', 'read_sentences', 'write_answers']

_COLUMNS = ('sentence', 'caption', 'query', 'text')
Answer = tuple[str, Sequence[SearchResult]]


def read_sentences(file: str | Path) -> list[str]:
    """Read the sentences of a CSV or JSONL table.

    Args:
        file: The table, with a column ``sentence`` (or ``caption``, ``query``, ``text``).

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is no such table, a row has no sentence, or there is no row.
    """
    return [row.text for row in read_table(file, _COLUMNS, 'sentence')]


def write_answers(file: str | Path, answers: Sequence[Answer]) -> None:
    """Write a CSV with a row for every result: sentence, rank, path, score, cosine.

    A sentence without results has one row with rank 0 and no image. No cell is a formula, see
    :func:`~mmtbps.search.answer_files.safe_cell`.
    """
    table = io.StringIO(newline='')
    writer = csv.writer(table)
    writer.writerow(['sentence', 'rank', 'path', 'score', 'cosine'])
    for sentence, results in answers:
        for result in results:
            row = [result.rank, safe_cell(result.path), f'{result.score:.6f}', f'{result.cosine:.6f}']
            writer.writerow([safe_cell(sentence), *row])
        if not results:
            writer.writerow([safe_cell(sentence), 0, '', '', ''])
    write_atomically(file, printable(table.getvalue()).encode())


def format_answer(sentence: str, results: Sequence[SearchResult]) -> str:
    """Format the results of one sentence, an image per line; paths below the working folder are relative."""
    here = os.path.join(os.getcwd(), '')
    lines = [f'{result.rank:>4}  {result.score:.3f}  {one_line(result.path.removeprefix(here))}' for result in results]
    return '\n'.join([one_line(sentence), *(lines or ['  no match'])])


def describe_answer(sentence: str, results: Sequence[SearchResult], notes: QueryNotes) -> dict[str, Any]:
    """Describe the results of one sentence for JSON.

    Returns:
        'query', 'unknown_words' (each with a known one that is spelt alike, or None), 'warnings', and 'results' with
        the fields of :class:`SearchResult`; a path that is no UTF-8 has 'path_hex', its bytes, beside it.
    """
    found = [result.to_dict() for result in results]
    for entry in found:
        if printable(entry['path']) != entry['path']:
            entry['path_hex'] = os.fsencode(entry['path']).hex()
    return dict(query=sentence, unknown_words=dict(notes.unknown), warnings=list(notes.warnings), results=found)


def draw_answers(file: str | Path, answers: Sequence[Answer]) -> list[str]:
    """Draw the results of every sentence that has some; a gray field stands for an image that cannot be read any more.

    Args:
        file: The picture; for several sentences its name is extended by the number of the sentence.
        answers: Sentences and their results.

    Returns:
        Paths of the images that cannot be read.
    """
    file = Path(file)
    unread: list[str] = []
    for number, (sentence, results) in enumerate(answers, start=1):
        if results:
            target = file if len(answers) == 1 else file.with_name(f'{file.stem}_{number}{file.suffix}')
            draw_ranking(
                sentence,
                [_picture(result.path, unread) for result in results],
                [result.score for result in results],
                out_file=target,
            )
    return unread


def _picture(path: str, unread: list[str]) -> np.ndarray:
    try:
        return read_image(path)
    except (OSError, ValueError):  # deleted, or broken since
        unread.append(path)
        return np.full((384, 128, 3), 200, np.uint8)
