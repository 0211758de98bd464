"""Base of the hooks that move the state of a retriever with momentum keys."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.core.distributed import unwrap
from mmtbps.models import CMMoCoRetriever

__all__ = ['MomentumContrastHook']


class MomentumContrastHook(Hook):
    """Base class of hooks that move the state of a retriever with momentum keys.

    Attributes:
        partner: Name of the hook that a run needs besides this one; None if there is none.
    """

    partner: str | None = None

    def retriever(self, runner: Runner) -> CMMoCoRetriever:
        """Return the retriever, without the wrapper of distributed training.

        Args:
            runner: The runner of the training process.

        Raises:
            TypeError: If the model has no momentum keys.
        """
        model = unwrap(runner.model)
        if not isinstance(model, CMMoCoRetriever):
            raise TypeError(
                f'{type(self).__name__} needs a CMMoCoRetriever, got {type(model).__name__}; '
                'remove the hook from custom_hooks or change the model'
            )
        return model

    def before_train(self, runner: Runner) -> None:
        """Check model and partner once, and discard keys that an interrupted run left staged.

        Args:
            runner: The runner of the training process.

        Raises:
            TypeError: If the model has no momentum keys.
            RuntimeError: If the partner is missing.
        """
        self.retriever(runner).queue.discard()
        names = {cls.__name__ for hook in runner.hooks for cls in type(hook).__mro__}
        if self.partner is not None and self.partner not in names:
            raise RuntimeError(
                f'{type(self).__name__} works together with {self.partner}; '
                f"add dict(type='{self.partner}') to custom_hooks"
            )
