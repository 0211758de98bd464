"""What the commands call: runs, inferencer, reports, studies."""

from mmtbps.engine.data_sizes import resolve_data_sizes

from .inferencer import TextToPersonInferencer
from .runs import build_runner, test, train

__all__ = ['TextToPersonInferencer', 'build_runner', 'resolve_data_sizes', 'test', 'train']
