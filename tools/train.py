"""The same as ``mmtbps train``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('train')

if __name__ == '__main__':
    run_command(main)
