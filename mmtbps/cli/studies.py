"""``mmtbps studies``: every variant of a study with every seed."""

from pathlib import Path

from .arguments import Switch

__all__ = ['studies']


def studies(
    study: str,
    /,
    *,
    data_set: str | None = None,
    only: str = '*',
    work_dir: str | None = None,
    out_dir: str | None = None,
    jobs: int = 1,
    threads: int = 1,
    prefix: str = '',
    report_only: Switch = False,
) -> None:
    """Train every variant of a study with every seed; write a table and a plot of the metrics on test.

    For example:

        mmtbps studies cm-moco_vs_baseline --jobs 2

    Args:
        study: Study file, or the name of a study of this library.
        data_set: One that the study has variants for (default: the study's first).
        only: Pattern of the variants to train, such as `queue*`.
        work_dir: Folder of the runs (default: work_dirs/STUDY_DATASET).
        out_dir: Folder of the table and the plot (default: the work directory).
        jobs: Runs at a time.
        threads: Threads of each run.
        prefix: Command in front of each training's, such as `srun --gres=gpu:1`.
        report_only: Train nothing, report the runs that are done.
    """
    import shlex
    import signal
    import sys

    from mmtbps.apis.studies import Study, format_table, run_study, summarise
    from mmtbps.apis.studies.plot import draw_study
    from mmtbps.core.files import write_atomically
    from mmtbps.zoo import study_file

    # Let the trainings end with the tool.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    plan = Study.fromfile(study_file(study), data_set, only)
    folder = Path(work_dir or Path('work_dirs') / plan.name)
    failure = None
    if not report_only:
        try:
            run_study(plan, folder, jobs, threads, shlex.split(prefix))
        except RuntimeError as error:
            failure = error
    summaries = summarise(plan, plan.runs(folder))
    table = format_table(plan, summaries)
    target = Path(out_dir or folder)
    write_atomically(target / f'{plan.name}.md', table.encode())
    draw_study(plan, summaries, target / f'{plan.name}.png')
    print(f'\n{plan.title}\n\n{table}')
    if failure is not None:
        sys.exit(f'Error: {failure}')
