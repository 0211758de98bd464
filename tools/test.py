"""The same as ``mmtbps test``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('test')

if __name__ == '__main__':
    run_command(main)
