"""The metric of text-based person search."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub, print_log

from mmtbps.core.arguments import checked
from mmtbps.core.terminal import tell
from mmtbps.registry import METRICS, RERANKERS

from ..directions import both_directions, score_directions
from ..functional import summarize
from ..functional.checks import check_topk
from ..rerankers import Reranker
from ..table import format_figures
from .predictions import read_prediction


@METRICS.register_module()
class TBPSMetric(BaseMetric):
    """CMC, mAP and mINP, text to image (``t2i``) and image to text (``i2t``).

    One result is one unique image with all its captions. ``t2i``: every caption is a query, every image is in the
    gallery. ``i2t``: every image that has captions is a query, every caption is in the gallery; an image without
    captions is in the gallery of ``t2i`` only. Query and gallery item match if they show the same person; similarity
    is the cosine. Ranking is exact, ties keep data set order. Formulas: :mod:`mmtbps.evaluation.functional.ranking`.

    The keys are ``t2i/R@1``, ..., ``i2t/mINP``, those of a re-ranker ``t2i+jaccard/R@1`` and so on; values are in
    percent, and the main process prints them as one table.

    Predictions of several data sets (``data_set``, see :class:`~mmtbps.datasets.ConcatDataset`) are ranked set by set:
    the keys are then ``NAME/t2i/R@1`` for each, and ``t2i/R@1`` is their mean.

    Args:
        topk: Ranks at which CMC is reported. Defaults to (1, 5, 10), as papers of the field do.
        rerank: Config of one re-ranker of the registry ``RERANKERS``, or several; each adds a row for either
            direction. Defaults to none, to keep validation fast; ask for it in ``test_evaluator``.
        collect_device: Where results of several processes are gathered, ``'cpu'`` or ``'gpu'``. Defaults to
            ``'cpu'``: features of a test split need no room on the accelerator.
        prefix: Prefix of all keys. Defaults to None: the keys already name the direction.
        collect_dir: A folder that all processes share, for gathering on the CPU; it is removed afterwards with all that
            is in it. Defaults to None: a temporary one in the working folder.

    Raises:
        ValueError: If ``topk`` is empty or has a rank below 1, or two re-rankers have the same name.
    """

    # Not None, for which MMEngine would warn.
    default_prefix = ''

    @checked()
    def __init__(
        self,
        topk: Sequence[int] = (1, 5, 10),
        rerank: dict | Sequence[dict] = (),
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.topk = check_topk(topk)
        self.rerank: list[Reranker] = [RERANKERS.build(r) for r in ([rerank] if isinstance(rerank, dict) else rerank)]
        names = [reranker.name for reranker in self.rerank]
        if len(set(names)) < len(names):
            raise ValueError(f'TBPSMetric: two re-rankers have the same name among {names}; set name=... for one.')

    @property
    def names(self) -> list[str]:
        """Keys of the figures of one data set, in the order of the table."""
        rows = [f'{way}{suffix}' for way in ('t2i', 'i2t') for suffix in ('', *(f'+{r.name}' for r in self.rerank))]
        columns = [*(f'R@{k}' for k in self.topk), 'mAP', 'mINP']
        start = f'{self.prefix}/' if self.prefix else ''
        return [f'{start}{row}/{column}' for row in rows for column in columns]

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store features and person of each image.

        Args:
            data_batch: Not used.
            data_samples: Predictions with ``image_feat`` (D,), ``text_feats`` (n, D), n >= 0, and ``person_id``.

        Raises:
            TypeError: If one of them is of another kind.
            ValueError: If a prediction lacks one of them, or shapes disagree.
        """
        self.results += [
            dict(read_prediction(sample, 'TBPSMetric'), data_set=sample.get('data_set')) for sample in data_samples
        ]

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Rank both directions, within each data set if there are several, and print the table.

        Args:
            results: What :meth:`process` stored in all processes, in data set order.

        Returns:
            The metrics in percent.

        Raises:
            ValueError: If no image has a caption, or no query has a match.
        """
        sets = list(dict.fromkeys(result['data_set'] for result in results))
        if len(sets) < 2:
            return self._report(self._rank(results))
        figures = {name: self._rank([one for one in results if one['data_set'] == name], name) for name in sets}
        rows = {f'{name}/{row}': values for name in sets for row, values in figures[name].items()}
        return self._report(rows | _mean(list(figures.values())))

    def _rank(self, results: list[dict], name: str = '') -> dict[str, dict[str, float]]:
        captions = torch.tensor([len(result['text_feats']) for result in results])
        if not len(captions) or not captions.any():
            raise ValueError(
                f'TBPSMetric: none of the {len(results)} images{f" of {name}" if name else ""} has a caption, so '
                'nothing can be searched; check the annotation of the split.'
            )
        directions = both_directions(
            torch.stack([result['image_feat'] for result in results]),
            torch.tensor([result['person_id'] for result in results]),
            torch.cat([result['text_feats'] for result in results if len(result['text_feats'])]),
            torch.arange(len(results)).repeat_interleave(captions),
        )
        scores = score_directions(directions, self.rerank)
        return {row: summarize(score, self.topk) for row, score in scores.items()}

    def _report(self, figures: dict[str, dict[str, float]]) -> dict[str, float]:
        """Print one table of rows and columns and build the keys ``row/column``."""
        tested = MessageHub.get_current_instance().runtime_info.get('tested_weights')
        # In a training there is a table at each validation, which the log keeps and the terminal need not show.
        table = '\n' + format_figures(figures, tested)
        if tested is None:
            print_log(table, logger='current')
        else:
            tell(table)
        return {f'{name}/{column}': value for name, row in figures.items() for column, value in row.items()}


def _mean(figures: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Average the figures of several data sets."""
    return {
        row: {column: sum(one[row][column] for one in figures) / len(figures) for column in columns}
        for row, columns in figures[0].items()
    }
