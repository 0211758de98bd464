"""MMEngine's Runner, with a quiet terminal."""

import io
from contextlib import redirect_stdout
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner

from mmtbps.core.terminal import quieten

__all__ = ['QuietRunner']


class QuietRunner(Runner):
    """A Runner whose terminal shows a few lines; its log file has what MMEngine's terminal shows.

    MMEngine prints environment, config and the order of hooks while the Runner is built, so that a hook would come too
    late to keep them off the terminal.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger, see :meth:`mmengine.runner.Runner.build_logger`."""
        logger = super().build_logger(*args, **kwargs)
        quieten(logger)
        return logger

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> dict:
        """Load a checkpoint, see :meth:`mmengine.runner.Runner.load_checkpoint`."""
        with redirect_stdout(io.StringIO()):  # MMEngine prints which of its backends reads the file
            return super().load_checkpoint(*args, **kwargs)
