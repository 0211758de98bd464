from .data_sizes import resolve_data_sizes
from .runs import build_runner, test, train

__all__ = ['build_runner', 'resolve_data_sizes', 'test', 'train']
