"""Collection of the features of a test, for files and for pictures without the model."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub

from mmtbps.core.arguments import checked
from mmtbps.registry import METRICS

from ..feature_file import Features, save_features
from .predictions import read_prediction


class FeatureCollector(BaseMetric):
    """Base class of metrics that need the features of all processes with their images, captions and persons.

    A subclass implements ``compute_metrics(results)``, in which :meth:`stack` turns the results into features.
    """

    # Not None, for which MMEngine would warn.
    default_prefix = ''

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store one result per image.

        Args:
            data_batch: Not used.
            data_samples: Predictions with ``image_feat`` (D,), ``text_feats`` (n, D), ``person_id``, ``img_path`` and
                ``captions``.

        Raises:
            TypeError: If one of them is of another kind.
            ValueError: If a prediction lacks one of them, or shapes disagree.
        """
        name = type(self).__name__
        for sample in data_samples:
            read = read_prediction(sample, name, ('img_path', 'captions'))
            self.results.append(dict(read, img_path=str(sample['img_path']), captions=list(sample['captions'])))

    @staticmethod
    def stack(results: list[dict], meta: dict[str, Any] | None = None) -> Features:
        """Stack results.

        Args:
            results: What :meth:`process` stored in all processes, in data set order.
            meta: Origin of the features. Defaults to None: nothing is known.

        Returns:
            The features.
        """
        counts = torch.tensor([len(result['captions']) for result in results])
        return Features(
            image_feats=torch.stack([result['image_feat'] for result in results]).float(),
            image_pids=torch.tensor([result['person_id'] for result in results]),
            image_paths=[result['img_path'] for result in results],
            text_feats=torch.cat([result['text_feats'] for result in results]).float(),
            captions=[caption for result in results for caption in result['captions']],
            text_images=torch.arange(len(results)).repeat_interleave(counts),
            meta=meta or {},
        )


@METRICS.register_module()
class DumpFeatures(FeatureCollector):
    """Collect all features and write them to one ``.npz`` file, see :class:`mmtbps.evaluation.Features`.

    Args:
        out_file: The file to write.
        meta: Origin of the features, to which the test's ``unknown_words`` are added. Defaults to None: nothing is
            known.
        collect_device: Where results of several processes are gathered, ``'cpu'`` or ``'gpu'``. Defaults to
            ``'cpu'``: features need no room on the accelerator.
        collect_dir: A folder that all processes share, for gathering on the CPU; it is removed afterwards with all that
            is in it. Defaults to None: a temporary one in the working folder.

    Raises:
        ValueError: If ``out_file`` does not end in ``.npz``.
    """

    @checked()
    def __init__(
        self,
        out_file: str,
        meta: dict[str, Any] | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        if not str(out_file).endswith('.npz'):
            raise ValueError(f'DumpFeatures: out_file must end in .npz, got {str(out_file)!r}.')
        super().__init__(collect_device=collect_device, collect_dir=collect_dir)
        self.out_file = str(out_file)
        self.meta = meta or {}

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Write the file; there is no metric to report."""
        unknown = MessageHub.get_current_instance().runtime_info.get('unknown_words')
        meta = self.meta if unknown is None else dict(self.meta, unknown_words=unknown)
        save_features(self.out_file, self.stack(results, meta))
        return {}
