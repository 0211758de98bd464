"""Direct transfer: tests of models on data sets that they were not trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from terminaltables import AsciiTable

from mmtbps.core.checkpoint import dataset_meta_of, load_checkpoint_file
from mmtbps.datasets.joining import leaf_configs
from mmtbps.registry import DATASETS
from mmtbps.zoo import read_config

from .options import use_test_set
from .provenance import dataset_name
from .runs import test

__all__ = ['Transfer', 'format_transfers', 'run_transfers']


class Transfer(NamedTuple):
    """Result of one model on one test set.

    Attributes:
        trained_on: Name of the data set that the model was trained on.
        checkpoint: Name of its checkpoint file.
        tested_on: Name of the test set.
        figures: Metrics in percent by name.
        unknown_words: Counts of words that the model does not know; None if its tokenizer has no vocabulary of words.
    """

    trained_on: str
    checkpoint: str
    tested_on: str
    figures: dict[str, float]
    unknown_words: dict[str, Any] | None


def run_transfers(models: Sequence[tuple[str, str]], test_sets: Sequence[Config], work_dir: str) -> list[Transfer]:
    """Test every model on every test set, each with the model's own transforms and tokenizer.

    Args:
        models: Config file and checkpoint file of each model.
        test_sets: Configs with a ``test_dataloader``, such as those of ``configs/_base_/datasets/``.
        work_dir: Folder for the logs.

    Returns:
        One result for each pair, ordered by model.

    Raises:
        FileNotFoundError: If a checkpoint or the annotation of a test set is missing; raised before the first test.
        ValueError: If a checkpoint or config is invalid.
    """
    trained = [_trained_on(checkpoint) for _, checkpoint in models]
    init_default_scope('mmtbps')
    names = [dataset_name(source.test_dataloader.dataset) for source in test_sets]
    for source in test_sets:
        for leaf in leaf_configs(source.test_dataloader.dataset):
            DATASETS.build(dict(leaf, pipeline=[], lazy_init=True)).read_entries()
    cells: list[Transfer] = []
    for (config, checkpoint), home in zip(models, trained, strict=True):
        for source, name in zip(test_sets, names, strict=True):
            cfg = use_test_set(read_config(config), source)
            stem = Path(checkpoint).stem
            cfg.work_dir = str(Path(work_dir) / f'{stem}_on_{name}')
            # Runs of one process and name would share a message hub.
            cfg.experiment_name = f'{len(cells)}_{stem}_on_{name}'
            figures = test(cfg, checkpoint)
            unknown = MessageHub.get_current_instance().runtime_info.get('unknown_words')
            cells.append(Transfer(home, Path(checkpoint).name, name, figures, unknown))
    return cells


def _trained_on(checkpoint: str) -> str:
    """Name of the data set that a checkpoint was trained on."""
    meta = dataset_meta_of(load_checkpoint_file(checkpoint), checkpoint)
    return str(meta.get('dataset', 'unknown'))


def format_transfers(cells: Sequence[Transfer], metrics: Sequence[str] = ('t2i/R@1', 't2i/mAP')) -> str:
    """Format results as tables with a row per model and a column per test set.

    Args:
        cells: Results of :func:`run_transfers`.
        metrics: Metrics in a cell. Defaults to R@1 and mAP from text to image, which papers report.

    Returns:
        A table of metrics, and one of the share of caption words that the model does not know.
    """
    columns = list(dict.fromkeys(cell.tested_on for cell in cells))
    figures: dict[tuple[str, str], dict[str, str]] = {}
    words: dict[tuple[str, str], dict[str, str]] = {}
    for cell in cells:
        row = (cell.trained_on, cell.checkpoint)
        figures.setdefault(row, {})[cell.tested_on] = ' / '.join(f'{cell.figures[name]:.2f}' for name in metrics)
        known = cell.unknown_words
        share = '-' if known is None else f'{100 * known["unknown"] / max(known["total"], 1):.2f}'
        words.setdefault(row, {})[cell.tested_on] = share
    titles = (' ' + ' / '.join(metrics) + ' ', ' unknown words (%) ')
    tables = []
    for title, content in zip(titles, (figures, words), strict=True):
        head = ['trained on', 'checkpoint', *(f'on {name}' for name in columns)]
        tables.append(AsciiTable([head, *([*row, *values.values()] for row, values in content.items())], title).table)
    return '\n'.join(tables)
