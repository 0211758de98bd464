"""Checkpoints of other code bases, renamed for ours and back, and ours as others get them."""

from .clip_dual import Converted
from .conversion import convert_file, layout_names, parse_options, revert_file
from .publishing import Published, publish_checkpoint
from .textreid import WITHOUT_COUNTERPART, mmtbps_to_textreid, textreid_to_mmtbps
from .towers import Options

__all__ = [
    'WITHOUT_COUNTERPART',
    'Converted',
    'Options',
    'Published',
    'convert_file',
    'layout_names',
    'mmtbps_to_textreid',
    'parse_options',
    'publish_checkpoint',
    'revert_file',
    'textreid_to_mmtbps',
]
