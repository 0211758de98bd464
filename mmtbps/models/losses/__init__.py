"""Losses as pure functions of tensors."""

from .alignment import alignment_rows, global_alignment_loss
from .classification import linear_identity_loss, masked_word_loss
from .cmpm import cmpm_loss, cmpm_rows
from .identity import cmpc_loss, identity_loss
from .info_nce import identity_aware_info_nce, info_nce
from .reduction import reduce_rows
from .sdm import sdm_loss, sdm_rows
from .self_supervision import simclr_loss, simclr_rows
from .tal import tal_loss, tal_rows
from .tbps_clip import citc_loss, citc_rows, nitc_loss, nitc_rows, ritc_loss

__all__ = [
    'alignment_rows',
    'citc_loss',
    'citc_rows',
    'cmpc_loss',
    'cmpm_loss',
    'cmpm_rows',
    'global_alignment_loss',
    'identity_aware_info_nce',
    'identity_loss',
    'info_nce',
    'linear_identity_loss',
    'masked_word_loss',
    'nitc_loss',
    'nitc_rows',
    'reduce_rows',
    'ritc_loss',
    'sdm_loss',
    'sdm_rows',
    'simclr_loss',
    'simclr_rows',
    'tal_loss',
    'tal_rows',
]
