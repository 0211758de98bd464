"""Hooks of MMEngine's Runner."""

from .checkpoint_hook import CheckpointHook
from .collapse_hook import CollapseHook
from .consensus_division_hook import ConsensusDivisionHook
from .dataset_meta import DatasetMetaHook
from .epoch_seed import EpochSeedHook
from .exact_resume_hook import ExactResumeHook
from .finite_loss_hook import FiniteLossHook
from .fit_weights import FitWeightsHook
from .loader_workers_hook import LoaderWorkersHook
from .loss_ramp_hook import LossRampHook
from .momentum_contrast import MomentumContrastHook
from .momentum_update_hook import MomentumUpdateHook
from .queue_status_hook import QueueStatusHook
from .queue_update_hook import QueueUpdateHook
from .ranked_list_hook import RankedListHook
from .score_resumed_epoch import ScoreResumedEpochHook
from .terminal_hook import TerminalHook

__all__ = [
    'CheckpointHook',
    'CollapseHook',
    'ConsensusDivisionHook',
    'DatasetMetaHook',
    'EpochSeedHook',
    'ExactResumeHook',
    'FiniteLossHook',
    'FitWeightsHook',
    'LoaderWorkersHook',
    'LossRampHook',
    'MomentumContrastHook',
    'MomentumUpdateHook',
    'QueueStatusHook',
    'QueueUpdateHook',
    'RankedListHook',
    'ScoreResumedEpochHook',
    'TerminalHook',
]
