"""Machine-readable files of a report: metrics as JSON, a row per query as CSV."""

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmtbps.core.files import write_atomically
from mmtbps.core.json_text import parse_json
from mmtbps.core.text import no_formula
from mmtbps.evaluation.feature_file import Features
from mmtbps.evaluation.functional import QueryScores, summarize

__all__ = ['FIGURES_FILE', 'QUERIES_FILE', 'Report', 'load_report', 'save_figures', 'save_queries']

FIGURES_FILE, QUERIES_FILE = 'figures.json', 'queries.csv'
_COLUMNS = (
    'ranking', 'query', 'person_id', 'first_rank', 'average_precision', 'inverse_negative_penalty', 'image', 'caption',
)  # fmt: skip


class Report(NamedTuple):
    """Content of a report.

    Attributes:
        meta: Model, checkpoint, config and data set of the features.
        figures: Metrics in percent, by ranking (``t2i``, ``t2i+jaccard``, ...) and name.
        queries: Columns of ``queries.csv`` by ranking and name, as arrays with a value per query.
    """

    meta: dict[str, Any]
    figures: dict[str, dict[str, float]]
    queries: dict[str, dict[str, np.ndarray]]


def save_figures(
    folder: Path, features: Features, scores: dict[str, QueryScores], topk: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Write ``figures.json``: all metrics, and the origin of the features.

    Args:
        folder: Folder of the report.
        features: The ranked features.
        scores: Scores of the queries by ranking.
        topk: Ranks at which CMC is reported.

    Returns:
        The metrics in percent, by ranking and name.
    """
    figures = {name: summarize(row, topk) for name, row in scores.items()}
    counts = dict(images=len(features.image_pids), captions=len(features.captions))
    counts['persons'] = len(features.image_pids.unique())
    meta = dict(features.meta, data_digest=features.data_digest)
    content = json.dumps(dict(meta=meta, counts=counts, figures=figures), indent=2)
    write_atomically(folder / FIGURES_FILE, content.encode())
    return figures


def save_queries(folder: Path, features: Features, scores: dict[str, QueryScores]) -> None:
    """Write ``queries.csv``: the scores of every query in every ranking.

    No cell is a formula, see :func:`~mmtbps.core.text.no_formula`.

    Args:
        folder: Folder of the report.
        features: The ranked features.
        scores: Scores of the queries by ranking. ``first_rank`` is 0 if there is no match.
    """
    stream = io.StringIO(newline='')
    writer = csv.writer(stream)
    writer.writerow(_COLUMNS)
    images = features.text_images.tolist()
    t2i = [(features.image_paths[image], text) for image, text in zip(images, features.captions, strict=True)]
    i2t = [(features.image_paths[image], '') for image in features.text_images.unique().tolist()]
    pids = {name: direction.query_pids.tolist() for name, direction in features.directions().items()}
    for ranking, row in scores.items():
        direction = ranking.partition('+')[0]
        values = zip(*(value.tolist() for value in row), strict=True)
        texts = t2i if direction == 't2i' else i2t
        for number, (pid, value, text) in enumerate(zip(pids[direction], values, texts, strict=True)):
            writer.writerow([ranking, number, pid, *value, *map(no_formula, text)])
    # Captions from the web may hold lone surrogates, which UTF-8 cannot encode.
    write_atomically(folder / QUERIES_FILE, stream.getvalue().encode('utf-8', 'backslashreplace'))


def load_report(folder: str | os.PathLike) -> Report:
    """Read a report.

    Args:
        folder: A folder that ``mmtbps test --report`` wrote.

    Returns:
        The report.

    Raises:
        FileNotFoundError: If it is not a report.
        ValueError: If a file is damaged.
    """
    folder = Path(folder)
    for name in (FIGURES_FILE, QUERIES_FILE):
        if not (folder / name).is_file():
            raise FileNotFoundError(f'{folder} is not a report: it has no {name}; write one with mmtbps test --report.')
    try:
        content = parse_json((folder / FIGURES_FILE).read_bytes(), finite=False)
        queries: dict[str, list[dict[str, str]]] = {}
        with (folder / QUERIES_FILE).open(encoding='utf-8', newline='') as file:
            for row in csv.DictReader(file, strict=True):
                queries.setdefault(row['ranking'], []).append(row)
        columns = {name: _columns(rows) for name, rows in queries.items()}
        return Report(content['meta'], content['figures'], columns)
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(
            f'{folder} is not a complete report ({type(error).__name__}: {error}); write it again.'
        ) from error


def _columns(rows: list[dict[str, str]]) -> dict[str, np.ndarray]:
    """Convert the rows of one ranking to arrays."""
    kinds = (str, int, int, int, float, float, str, str)
    return {
        name: np.array([kind(row[name]) for row in rows])
        for name, kind in zip(_COLUMNS, kinds, strict=True)
        if name != 'ranking'
    }
