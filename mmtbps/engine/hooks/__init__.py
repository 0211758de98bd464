from .checkpoint_hook import CheckpointHook
from .dataset_meta import DatasetMetaHook
from .epoch_seed import EpochSeedHook
from .fit_weights import FitWeightsHook
from .loss_ramp_hook import LossRampHook
from .momentum_update_hook import MomentumUpdateHook
from .queue_status_hook import QueueStatusHook
from .queue_update_hook import QueueUpdateHook
from .ranked_list_hook import RankedListHook
from .score_resumed_epoch import ScoreResumedEpochHook

__all__ = [
    'CheckpointHook',
    'DatasetMetaHook',
    'EpochSeedHook',
    'FitWeightsHook',
    'LossRampHook',
    'MomentumUpdateHook',
    'QueueStatusHook',
    'QueueUpdateHook',
    'RankedListHook',
    'ScoreResumedEpochHook',
]
