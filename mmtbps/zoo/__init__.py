"""Published weights of others: the list, fetching, verification, conversion; models and configs by name."""

from .configs import named_configs, read_config, study_file
from .download import download
from .entries import CLIP_NOTICE, ENTRIES, Entry
from .fetching import fetch_model
from .home import entry_named, home, known_entries, model_files
from .models import require_named, weights_named

__all__ = [
    'CLIP_NOTICE',
    'ENTRIES',
    'Entry',
    'download',
    'entry_named',
    'fetch_model',
    'home',
    'known_entries',
    'model_files',
    'named_configs',
    'read_config',
    'require_named',
    'study_file',
    'weights_named',
]
