"""Train every variant of a study with every seed; write a table and a plot of the metrics on test."""

import argparse
import shlex
import signal
import sys
from pathlib import Path

from mmtbps.apis.studies import Study, format_table, run_study, summarise
from mmtbps.apis.studies.plot import draw_study
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.core.files import write_atomically


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('study', help='study file, such as configs/_studies_/cm-moco_vs_baseline.py')
    parser.add_argument('--data-set', help="one that the study has variants for (default: the study's first)")
    parser.add_argument(
        '--only', default='*', metavar='PATTERN', help="variants to train, e.g. 'queue*' (default: all)"
    )
    parser.add_argument('--work-dir', help='folder of the runs (default: work_dirs/<study>_<data set>)')
    parser.add_argument('--out-dir', help='folder of the table and the plot (default: the work directory)')
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time (default: 1)')
    parser.add_argument('--threads', type=int, default=1, help='threads of each run (default: 1)')
    parser.add_argument(
        '--prefix', type=shlex.split, default=[], help="command in front of each training's, e.g. 'srun --gres=gpu:1'"
    )
    parser.add_argument('--report-only', action='store_true', help='train nothing, report the runs that are done')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    # Let the trainings end with the tool.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    study = Study.fromfile(args.study, args.data_set, args.only)
    work_dir = Path(args.work_dir or Path('work_dirs') / study.name)
    failure = None
    if not args.report_only:
        try:
            run_study(study, work_dir, args.jobs, args.threads, args.prefix)
        except RuntimeError as error:
            failure = error
    summaries = summarise(study, study.runs(work_dir))
    table = format_table(study, summaries)
    out_dir = Path(args.out_dir or work_dir)
    write_atomically(out_dir / f'{study.name}.md', table.encode())
    draw_study(study, summaries, out_dir / f'{study.name}.png')
    print(f'\n{study.title}\n\n{table}')
    if failure is not None:
        sys.exit(f'Error: {failure}')


if __name__ == '__main__':
    run_command(main)
