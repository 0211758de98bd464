"""Run a tool on several processes, as torchrun does with the same arguments; the last line says what ended them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from signal import SIGTERM

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.run import parse_args, run


def moment(failure: ProcessFailure) -> tuple[bool, int]:
    """Order failures by time, those without a word first: others miss such a process, and then fail as well."""
    ended = failure.exitcode == -SIGTERM  # by the launcher
    told = Path(failure.error_file)
    return ended, told.stat().st_mtime_ns if told.is_file() else 0


def first_cause(failures: Mapping[int, ProcessFailure]) -> str:
    """Tell which process failed first, and why."""
    rank, failure = min(failures.items(), key=lambda item: moment(item[1]))
    if failure.exitcode < 0:
        return f'process {rank} was killed by {failure.signal_name()}. Was there enough memory?'
    if not Path(failure.error_file).is_file():
        return f'process {rank} ended with exit code {failure.exitcode}; its messages are above.'
    return f'process {rank}: {" ".join(failure.message.split())}'


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    try:
        run(parse_args(argv))
    except ChildFailedError as error:
        print(f'{Path(error.name).name}: {first_cause(error.failures)}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
