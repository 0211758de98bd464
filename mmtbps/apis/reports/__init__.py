"""Reports about tests: write, read and compare them."""

from .comparison import Comparison, compare_reports, format_comparison
from .files import Report, load_report
from .writer import write_report

__all__ = ['Comparison', 'Report', 'compare_reports', 'format_comparison', 'load_report', 'write_report']
