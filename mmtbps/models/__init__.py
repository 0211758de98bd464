"""Retrievers and their parts."""

from .backbones import *  # noqa: F403
from .clip import *  # noqa: F403
from .data_preprocessor import *  # noqa: F403
from .fitting import *  # noqa: F403
from .heads import *  # noqa: F403
from .necks import *  # noqa: F403
from .queues import *  # noqa: F403
from .retrievers import *  # noqa: F403
from .structures import *  # noqa: F403
from .word_vectorizers import *  # noqa: F403
