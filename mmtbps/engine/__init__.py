"""Training: hooks, optimizers, checks of configs, sizes that depend on the data, fine-tuning."""

from .config_checks import check_config
from .consensus import clean_probabilities, divide, is_clean
from .cpu_distributed import CPUDistributedDataParallel, prepare_cpu_launcher, start_processes
from .data_sizes import resolve_data_sizes
from .fine_tuning import adapt_weights
from .hooks import (
    CheckpointHook,
    CollapseHook,
    ConsensusDivisionHook,
    DatasetMetaHook,
    EpochSeedHook,
    ExactResumeHook,
    FiniteLossHook,
    FitWeightsHook,
    LoaderWorkersHook,
    LossRampHook,
    MomentumContrastHook,
    MomentumUpdateHook,
    QueueStatusHook,
    QueueUpdateHook,
    RankedListHook,
    ScoreResumedEpochHook,
    TerminalHook,
)
from .optim_wrapper import AutocastOptimWrapper
from .optimizers import GroupedOptimWrapperConstructor

__all__ = [
    'AutocastOptimWrapper',
    'CPUDistributedDataParallel',
    'CheckpointHook',
    'CollapseHook',
    'ConsensusDivisionHook',
    'DatasetMetaHook',
    'EpochSeedHook',
    'ExactResumeHook',
    'FiniteLossHook',
    'FitWeightsHook',
    'GroupedOptimWrapperConstructor',
    'LoaderWorkersHook',
    'LossRampHook',
    'MomentumContrastHook',
    'MomentumUpdateHook',
    'QueueStatusHook',
    'QueueUpdateHook',
    'RankedListHook',
    'ScoreResumedEpochHook',
    'TerminalHook',
    'adapt_weights',
    'check_config',
    'clean_probabilities',
    'divide',
    'is_clean',
    'prepare_cpu_launcher',
    'resolve_data_sizes',
    'start_processes',
]
