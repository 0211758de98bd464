"""Check what a Runner loads."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.core.arguments import checked
from mmtbps.core.checkpoint import dataset_meta_of
from mmtbps.core.distributed import unwrap
from mmtbps.core.terminal import tell
from mmtbps.models import fit_weights
from mmtbps.registry import HOOKS

from ..fine_tuning import adapt_weights
from .dataset_meta import dataset_of

# What MMEngine would go without, and begin with fresh moments and an empty log.
_TRAINING_STATE = ('optimizer', 'message_hub')


@HOOKS.register_module()
class FitWeightsHook(Hook):
    """Refuse checkpoints that do not fit the model; MMEngine would load what fits and leave the rest at random.

    :func:`~mmtbps.models.fit_weights` decides, for a test, for a run that starts from other weights (``load_from``)
    and for a resumed one. A run that starts from weights of other data has words matched by word, and classes and
    queues made anew: :func:`~mmtbps.engine.adapt_weights`. What is left out is logged. Every Runner of
    :func:`~mmtbps.apis.build_runner` has this hook; in a config it stands in ``default_hooks`` as ``fit_weights``.

    Args:
        ignore: Patterns (as of :mod:`fnmatch`) of names that ``load_from`` does not take from the checkpoint, and that
            it may lack, such as ``['image_projection.*']``. Defaults to (): all that the streams and projections have
            must be there.

    Raises:
        TypeError: If ``ignore`` is a string.
    """

    priority = 'ABOVE_NORMAL'  # before MMEngine's EMAHook, which copies the weights of the checkpoint

    @checked()
    def __init__(self, ignore: Sequence[str] = ()) -> None:
        self.ignore = tuple(ignore)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Load the weights here, so that MMEngine, which does so next, finds nothing amiss."""
        train_set = dataset_of(runner._train_loop)
        trained = train_set is not None and runner.iter > 0  # what comes now is the best epoch
        source = str(runner._load_from or 'The checkpoint') if not trained else 'The best epoch'
        model = unwrap(runner.model)
        if train_set is None:
            lines = fit_weights(model, checkpoint, 'inference', source)
        elif runner._resume or trained:
            if not trained:
                _demand_training_state(checkpoint, source)
            lines = fit_weights(model, checkpoint, 'resume', source)
        else:
            meta = dataset_meta_of(checkpoint, source)

            def adapt(weights: dict[str, Any]) -> list[str]:
                return adapt_weights(model, weights, meta, train_set.metainfo)

            lines = fit_weights(model, checkpoint, 'start', source, self.ignore, adapt)
        for line in lines:
            tell(line)
        checkpoint['state_dict'] = model.state_dict()


def _demand_training_state(checkpoint: dict[str, Any], source: str) -> None:
    missing = [name for name in _TRAINING_STATE if name not in checkpoint]
    if missing:
        raise ValueError(
            f'{source} has no {" and no ".join(missing)}, so that no run can be resumed from it. Start a new run from '
            'its weights: load_from=CHECKPOINT without resume.'
        )
