"""The same as ``mmtbps web``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('web')

if __name__ == '__main__':
    run_command(main)
