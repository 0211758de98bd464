"""Notice embeddings that are all alike."""

import torch
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit, positive
from mmtbps.core.distributed import unwrap
from mmtbps.registry import HOOKS

__all__ = ['CollapseHook', 'embedding_spread']


def embedding_spread(embeddings: Tensor) -> Tensor:
    """Standard deviation over the batch of the normalised embeddings, mean over the dimensions, times sqrt(D).

    About 1 when the embeddings fill their space, near 0 when they collapse (SimSiam, Chen & He, CVPR 2021).

    Args:
        embeddings: (N, D), N at least 2.

    Returns:
        A scalar.
    """
    return F.normalize(embeddings, dim=1).std(dim=0).mean() * embeddings.shape[1] ** 0.5


@HOOKS.register_module()
class CollapseHook(Hook):
    """Warn when the embeddings of images or captions are nearly all alike, so that nothing can be told apart.

    Args:
        interval: Iterations between two looks. Defaults to 50.
        threshold: Spread below which embeddings count as collapsed, see :func:`embedding_spread`. Defaults to 0.005:
            the toy run is at about 0.8, and a tiny model of random weights was seen at 0.01.

    Raises:
        ValueError: If the interval is below 1 or the threshold not between 0 and 1.
    """

    @checked(interval=positive, threshold=in_unit)
    def __init__(self, interval: int = 50, threshold: float = 0.005) -> None:
        self.interval = interval
        self.threshold = threshold
        self._before: set[str] = set()
        self._told: set[str] = set()

    @torch.no_grad()
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Look at the latest batch; warn once for each kind, after two looks in a row.

        Args:
            runner: The runner of the training process.
            batch_idx: Index of the batch in the epoch.
            data_batch: The batch.
            outputs: Logged losses of the iteration.
        """
        model = unwrap(runner.model)
        pairs = getattr(model, 'latest_pairs', None)
        if not self.every_n_train_iters(runner, self.interval) or pairs is None or len(pairs.image) < 2:
            return
        spreads = {'images': float(embedding_spread(pairs.image)), 'captions': float(embedding_spread(pairs.text))}
        low = {kind for kind, spread in spreads.items() if spread < self.threshold}
        for kind in sorted((low & self._before) - self._told):
            runner.logger.warning(
                f'The embeddings of {kind} are all alike (spread {spreads[kind]:.1g} of 1): the model tells none '
                'apart. Look at the loaded data, or lower the learning rate.'
            )
            self._told.add(kind)
        self._before = low
