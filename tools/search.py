"""The same as ``mmtbps search``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('search')

if __name__ == '__main__':
    run_command(main)
