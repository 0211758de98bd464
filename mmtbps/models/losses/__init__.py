"""Losses as pure functions of tensors."""

from .alignment import alignment_rows, global_alignment_loss
from .cmpm import cmpm_loss, cmpm_rows
from .identity import cmpc_loss, identity_loss
from .info_nce import identity_aware_info_nce, info_nce
from .reduction import reduce_rows
from .sdm import sdm_loss, sdm_rows

__all__ = [
    'alignment_rows',
    'cmpc_loss',
    'cmpm_loss',
    'cmpm_rows',
    'global_alignment_loss',
    'identity_aware_info_nce',
    'identity_loss',
    'info_nce',
    'reduce_rows',
    'sdm_loss',
    'sdm_rows',
]
