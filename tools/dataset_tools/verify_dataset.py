"""The same as ``mmtbps verify``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('verify')

if __name__ == '__main__':
    run_command(main)
