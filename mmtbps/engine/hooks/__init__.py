from .dataset_meta import DatasetMetaHook
from .epoch_seed import EpochSeedHook
from .score_resumed_epoch import ScoreResumedEpochHook

__all__ = ['DatasetMetaHook', 'EpochSeedHook', 'ScoreResumedEpochHook']
