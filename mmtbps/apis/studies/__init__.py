"""Studies: variants of configs, trained with several seeds and compared."""

from .definition import Study, StudyRun, Variant
from .execution import run_study
from .report import Summary, format_table, summarise

__all__ = ['Study', 'StudyRun', 'Summary', 'Variant', 'format_table', 'run_study', 'summarise']
