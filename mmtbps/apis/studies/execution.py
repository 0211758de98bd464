"""Execution of a study: each training runs in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mmengine.runner import find_latest_checkpoint

import mmtbps
from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.core.files import write_atomically
from mmtbps.core.terminal import progress_bar

from .definition import Study, StudyRun

__all__ = ['run_study']

_TRAIN_TOOL = Path(mmtbps.__file__).parent / '.mim' / 'tools' / 'train.py'
_POLL_SECONDS = 0.2


def run_study(
    study: Study, work_dir: str | Path, jobs: int = 1, threads: int = 1, prefix: Sequence[str] = ()
) -> list[StudyRun]:
    """Train and test every variant with every seed.

    A run that has a result is not repeated, and an interrupted one resumes from its latest checkpoint. A failing run
    does not stop the others.

    Args:
        study: The study.
        work_dir: Folder of the study.
        jobs: Number of runs at a time. Defaults to 1.
        threads: Threads per run (``OMP_NUM_THREADS``). Defaults to 1: small models gain little from more, and several
            programs with more threads than cores slow each other down severalfold.
        prefix: Command before that of each training, such as ``['srun', '--gres=gpu:1']``. Defaults to none.

    Returns:
        All runs.

    Raises:
        ValueError: If ``jobs`` or ``threads`` is below 1, or a run was started with another config.
        RuntimeError: If runs failed; the message names their logs.
    """
    for name, value in (('jobs', jobs), ('threads', threads)):
        if value < 1:
            raise ValueError(f'{name} must be at least 1, but got {value}.')
    stages, runs = study.stage_runs(work_dir), list(study.runs(work_dir))
    for part, name in ((stages, 'runs of stages'), (runs, 'runs')):
        for run in part:
            run.write_config()
        waiting = [run for run in part if run.read_result() is None]
        if part:
            done = len(part) - len(waiting)
            print(f'{study.title}: {len(part)} {name}, {done} of them done already', file=sys.stderr)
        failed = _run_all(waiting, jobs, threads, prefix)
        if failed:
            logs = '; '.join(f'{run.log_file} ({_last_line(run.log_file)})' for run in failed)
            raise RuntimeError(f'{len(failed)} of {len(part)} {name} failed, see {logs}')
    return runs


def _run_all(waiting: Sequence[StudyRun], jobs: int, threads: int, prefix: Sequence[str]) -> list[StudyRun]:
    """Keep ``jobs`` processes busy; returns the runs that failed."""
    if not waiting:
        return []
    bar = progress_bar(len(waiting), 'runs')
    queue, failed = list(waiting), list[StudyRun]()
    running: list[tuple[StudyRun, subprocess.Popen]] = []
    try:
        while queue or running:
            while queue and len(running) < jobs:
                run = queue.pop(0)
                running.append((run, _start(run, threads, prefix)))
            for run, process in running[:]:
                if process.poll() is not None:
                    running.remove((run, process))
                    if process.returncode == 0:
                        _write_result(run)
                    else:
                        failed.append(run)
                    bar.update()
            time.sleep(_POLL_SECONDS)
    finally:
        bar.close()
        for _, process in running:
            # The whole group, since a prefix such as flock does not forward the signal, nor do workers receive it.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    return failed


def _start(run: StudyRun, threads: int, prefix: Sequence[str]) -> subprocess.Popen:
    command = [*prefix, sys.executable, _TRAIN_TOOL, run.config_file, '--work-dir', run.folder, '--resume']
    with open(run.log_file, 'ab') as log:
        return subprocess.Popen(
            [*map(str, command), '--out', str(_metrics_file(run))],
            env={**os.environ, 'OMP_NUM_THREADS': str(threads)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _write_result(run: StudyRun) -> None:
    """Write the metrics of the training together with the seconds of its iterations."""
    metrics = json.loads(_metrics_file(run).read_text(encoding='utf-8'))
    # The message hub in the checkpoint has the time of every iteration, including those before an interruption.
    checkpoint = load_checkpoint_file(find_latest_checkpoint(run.folder))
    seconds = checkpoint['message_hub']['log_scalars']['train/time'].data[0].sum()
    write_atomically(run.result_file, json.dumps({**metrics, 'train_seconds': float(seconds)}, indent=2).encode())


def _metrics_file(run: StudyRun) -> Path:
    return run.folder / 'test_metrics.json'


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding='utf-8', errors='replace').strip().splitlines()
    return lines[-1] if lines else 'empty'
