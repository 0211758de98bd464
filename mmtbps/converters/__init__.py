"""Checkpoints of other code bases, renamed for ours and back, and ours as others get them."""

from .publishing import Published, publish_checkpoint
from .textreid import WITHOUT_COUNTERPART, mmtbps_to_textreid, textreid_to_mmtbps

__all__ = ['WITHOUT_COUNTERPART', 'Published', 'mmtbps_to_textreid', 'publish_checkpoint', 'textreid_to_mmtbps']
