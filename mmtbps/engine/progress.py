"""How far a training is, in the unit that its loop counts."""

from mmengine.runner import IterBasedTrainLoop, Runner

__all__ = ['progress']


def progress(runner: Runner) -> tuple[str, int]:
    """Tell how far a training is.

    Args:
        runner: The runner of the training.

    Returns:
        'epoch' or 'iteration', and how many of them are done.
    """
    if isinstance(getattr(runner, '_train_loop', None), IterBasedTrainLoop):
        # Validation comes after the loop has counted the iteration.
        return 'iteration', runner.iter
    return 'epoch', runner.epoch
