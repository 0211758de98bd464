"""The same as ``mmtbps report compare``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('report', 'compare')

if __name__ == '__main__':
    run_command(main)
