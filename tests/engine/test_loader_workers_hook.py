"""Workers of data loaders end with a run that is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

LINUX = sys.platform.startswith('linux')
# Says the worker's number, then waits to be killed. The worker itself ignores torch's own ways of ending it.
PROGRAM = """
import os, threading, time
from types import SimpleNamespace
import torch
from torch.utils.data import DataLoader, Dataset
from mmtbps.engine import LoaderWorkersHook

class Items(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        threading.Thread(target=time.sleep, args=(600,), daemon=False).start()
        return os.getpid()

loader = DataLoader(Items(), batch_size=1, num_workers=1, persistent_workers=True, worker_init_fn=lambda _: None)
for _ in range(2):
    LoaderWorkersHook().before_train(SimpleNamespace(train_dataloader=loader))
batches = iter(loader)
print(int(next(batches)), flush=True)
time.sleep(600)
"""


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] not in 'ZX'
    except FileNotFoundError:
        return False


@pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='the kernel of Linux alone tells of a parent that died'
)
def test_a_worker_ends_with_a_killed_run():
    process = subprocess.Popen(
        [sys.executable, '-c', PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    worker = int(process.stdout.readline())
    assert is_running(worker)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    try:
        for _ in range(300):
            if not is_running(worker):
                break
            time.sleep(0.1)
        assert not is_running(worker)
    finally:
        if is_running(worker):
            os.kill(worker, signal.SIGKILL)
