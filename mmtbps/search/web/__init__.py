"""The web page."""

from .galleries import Answer, Galleries, Hit
from .server import EXAMPLES, serve
from .uploads import UploadLimits, keep_upload

__all__ = ['EXAMPLES', 'Answer', 'Galleries', 'Hit', 'UploadLimits', 'keep_upload', 'serve']
