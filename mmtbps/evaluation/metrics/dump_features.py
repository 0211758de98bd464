"""Write the features of a test to a file, for later evaluation or drawing without the model."""

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from mmtbps.registry import METRICS
from mmtbps.utils.checkpoint import write_atomically


@METRICS.register_module()
class DumpFeatures(BaseMetric):
    """Collect all features and write them to one ``.npz`` file.

    The file holds ``image_feats`` (G, D), ``image_pids`` (G,), ``image_paths`` (G,), ``text_feats`` (Q, D),
    ``captions`` (Q,), ``text_images`` (Q,), the row of each caption's own image, and ``meta``, a JSON text that
    says which model, config and data set made it. Features are as the model gives them, not normalised.

    Args:
        out_file: The file to write.
        meta: What shall stand in ``meta``. Defaults to None: nothing.
        collect_device: Where results of several processes are gathered. Defaults to ``'cpu'``.

    Raises:
        ValueError: If ``out_file`` does not end in ``.npz``.
    """

    def __init__(self, out_file: str, meta: dict[str, Any] | None = None, collect_device: str = 'cpu') -> None:
        if not str(out_file).endswith('.npz'):
            raise ValueError(f'DumpFeatures: out_file must end in .npz, got {str(out_file)!r}.')
        super().__init__(collect_device=collect_device)
        self.out_file = str(out_file)
        self.meta = meta or {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep one entry an image."""
        for sample in data_samples:
            self.results.append(
                dict(
                    image_feat=sample['image_feat'].detach().cpu(),
                    text_feats=sample['text_feats'].detach().cpu(),
                    person_id=int(sample['person_id']),
                    img_path=str(sample['img_path']),
                    captions=list(sample['captions']),
                )
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Write the file; there is no figure to report."""
        counts = [len(result['captions']) for result in results]
        buffer = io.BytesIO()
        np.savez(
            buffer,
            image_feats=torch.stack([result['image_feat'] for result in results]).float().numpy(),
            image_pids=np.array([result['person_id'] for result in results], dtype=np.int64),
            image_paths=np.array([result['img_path'] for result in results]),
            text_feats=torch.cat([result['text_feats'] for result in results]).float().numpy(),
            captions=np.array([caption for result in results for caption in result['captions']], dtype=np.str_),
            text_images=np.repeat(np.arange(len(results)), counts),
            meta=np.array(json.dumps(self.meta)),
        )
        write_atomically(self.out_file, buffer.getvalue())
        return {}
