"""The web page."""

from .galleries import Answer, Galleries, Hit
from .queries import Query
from .server import EXAMPLES, serve
from .uploads import UploadLimits, keep_upload

__all__ = ['EXAMPLES', 'Answer', 'Galleries', 'Hit', 'Query', 'UploadLimits', 'keep_upload', 'serve']
