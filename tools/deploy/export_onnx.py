"""The same as ``mmtbps export``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('export')

if __name__ == '__main__':
    run_command(main)
