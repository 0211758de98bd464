"""Checkpoints of other code bases, renamed for ours and back."""

from .textreid import WITHOUT_COUNTERPART, mmtbps_to_textreid, textreid_to_mmtbps

__all__ = ['WITHOUT_COUNTERPART', 'mmtbps_to_textreid', 'textreid_to_mmtbps']
