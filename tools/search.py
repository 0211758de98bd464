"""Search a gallery of images with sentences: index it once, then query it. The same as ``mmtbps search``."""

from mmtbps.cli.search import main
from mmtbps.core.commands import run_command

if __name__ == '__main__':
    run_command(main)
