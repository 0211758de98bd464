"""The total batch size that a config is meant for."""

from mmengine.dist import get_world_size
from mmengine.runner import Runner

from mmtbps.core.distributed import unwrap
from mmtbps.models import PairwiseHead

__all__ = ['note_on_batch_size']


def note_on_batch_size(runner: Runner) -> str:
    """Compare the total batch size of a training with ``auto_scale_lr.base_batch_size``, which its config is meant for.

    Args:
        runner: The runner of the training.

    Returns:
        What a smaller one means, if heads contrast all pairs of the batch; empty if there is nothing to say.
    """
    meant = (runner.cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    heads = getattr(unwrap(runner.model), 'heads', {})
    contrasting = [name for name, head in heads.items() if isinstance(head, PairwiseHead)]
    size, processes = (runner.cfg.get('train_dataloader') or {}).get('batch_size', 0), get_world_size()
    total = size * processes
    if meant is None or not contrasting or not 0 < total < meant:
        return ''
    return (
        f'The total batch size is {total} ({processes} x {size}), and the config is meant for {meant}: the heads '
        f'{", ".join(contrasting)} find their negatives in the batch, so that results may be worse. '
        f'train_dataloader.batch_size={-(-meant // processes)} with model.chunk_size={size} takes the memory of {size} '
        'pairs and gives the gradients of the whole batch; accumulative_counts does not. --auto-scale-lr adapts the '
        'learning rate.'
    )
