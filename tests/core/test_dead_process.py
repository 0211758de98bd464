"""Of several processes one dies: the others end, and the last line says which one and why."""

import subprocess
import sys
from pathlib import Path

import pytest

import mmtbps

RUN = Path(mmtbps.__file__).parents[1] / 'tools' / 'dist_run.py'
TOOL = """
import os, signal, sys
import torch.distributed as dist
from mmtbps.core.commands import run_command

def main():
    dist.init_process_group('gloo')
    dist.barrier()
    if dist.get_rank() == 1:
        {fate}
    dist.barrier()

run_command(main)
"""


@pytest.mark.parametrize(
    ('fate', 'last'),
    [
        ("raise ValueError('image 7 is broken;\\n repair it')", 'tool.py: process 1: image 7 is broken; repair it'),
        ('os.kill(os.getpid(), signal.SIGKILL)', 'tool.py: process 1 was killed by SIGKILL. Was there enough memory?'),
        ('os._exit(3)', 'tool.py: process 1 ended with exit code 3; its messages are above.'),
    ],
)  # fmt: skip
def test_the_last_line_is_the_cause(fate, last, tmp_path):
    tool = tmp_path / 'tool.py'
    tool.write_text(TOOL.format(fate=fate))
    done = subprocess.run(
        [sys.executable, str(RUN), '--nproc_per_node=2', '--master_port=29561', str(tool)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == last
    assert 'Traceback' not in done.stderr
