"""Pictures of some validation queries during training."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmpretrain.structures import DataSample

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.evaluation import Features
from mmtbps.evaluation.metrics import FeatureCollector
from mmtbps.registry import HOOKS
from mmtbps.visualization import TBPSVisualizer, rank_examples

from ..progress import progress

__all__ = ['RankedListHook']


class _Gatherer(FeatureCollector):
    """Gathers the features of all processes in the first one."""

    features: Features | None = None

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        self.features = self.stack(results)
        return {}

    def take(self) -> Features | None:
        """Return the features, in the first process, and release them."""
        features, self.features = self.features, None
        return features


@HOOKS.register_module()
class RankedListHook(Hook):
    """Draw some validation queries with their best images every few epochs: matches framed green, others red.

    The queries are evenly spread over the split and the same every time, so that progress is visible. They are ranked
    by the features that validation computes anyway. Needs ``visualizer=dict(type='TBPSVisualizer')``, which the
    default runtime has; the pictures ``ranked_list_<row of the caption>`` go to all of its backends.

    Args:
        interval: Epochs between two drawings; validations, under a loop of iterations. Defaults to 5, some pictures
            per training.
        num_queries: Number of captions. Defaults to 4, few enough to look at all of them.
        topk: Number of images per caption. Defaults to 8, which fit on a screen.
        collect_device: Where features of several processes are gathered, ``'cpu'`` or ``'gpu'``. Defaults to
            ``'cpu'``, as :class:`~mmtbps.evaluation.TBPSMetric`.
        collect_dir: A folder that all processes share, for gathering on the CPU; it is removed afterwards with all that
            is in it. Defaults to None: a temporary one in the working folder.

    Raises:
        ValueError: If a number is below 1.
        TypeError: If the runner's visualizer cannot draw ranked lists.
    """

    priority = 'LOW'

    @checked(interval=positive, num_queries=positive, topk=positive)
    def __init__(
        self,
        interval: int = 5,
        num_queries: int = 4,
        topk: int = 8,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        self.interval = interval
        self.num_queries = num_queries
        self.topk = topk
        self._failed = False
        self.gatherer = _Gatherer(collect_device, collect_dir=collect_dir)

    def before_run(self, runner: Runner) -> None:
        """Check that pictures can be drawn, before anything is trained."""
        if not isinstance(runner.visualizer, TBPSVisualizer):
            raise TypeError(
                f'RankedListHook needs a TBPSVisualizer, but the visualizer is a {type(runner.visualizer).__name__}. '
                "Set visualizer=dict(type='TBPSVisualizer', vis_backends=[...])."
            )

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence[DataSample] | None = None,
    ) -> None:
        """Store the features of a batch, if this epoch is due.

        Args:
            runner: The runner.
            batch_idx: Index of the batch.
            data_batch: The batch.
            outputs: Predictions of the model.
        """
        if self._due(runner):
            self.gatherer.process(data_batch, [sample.to_dict() for sample in outputs or ()])

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """Gather the features and draw; every process takes part in the gathering, the first one draws.

        Args:
            runner: The runner.
            metrics: The metrics.
        """
        if not self._due(runner):
            return
        self.gatherer.evaluate(len(runner.val_dataloader.dataset))
        features = self.gatherer.take()
        if features is None:
            return
        try:
            self._draw(runner, features)
        except Exception as error:  # a picture is not worth a training
            if not self._failed:
                runner.logger.warning(
                    f'RankedListHook: a ranked list could not be drawn ({error!r}); training goes on.'
                )
            self._failed = True

    def _draw(self, runner: Runner, features: Features) -> None:
        for found in rank_examples(features, self.num_queries, self.topk):
            runner.visualizer.add_ranked_list(
                f'ranked_list_{found.row:05d}', found.caption, found.images, found.scores,
                matches=found.matches, person_ids=found.person_ids, step=progress(runner)[1],
            )  # fmt: skip

    def _due(self, runner: Runner) -> bool:
        unit, now = progress(runner)
        if unit == 'epoch':
            return now % self.interval == 0
        return -(-now // runner.train_loop.val_interval) % self.interval == 0
