"""The same as ``mmtbps studies``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('studies')

if __name__ == '__main__':
    run_command(main)
