"""The same as ``mmtbps extract``."""

from mmtbps.cli import tool
from mmtbps.core.commands import run_command

main = tool('extract')

if __name__ == '__main__':
    run_command(main)
