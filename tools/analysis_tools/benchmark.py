"""Measure parts of mmtbps against plain implementations of the same, in the same run."""

import argparse
import json
from importlib import import_module

from benchmarks import COMMANDS
from benchmarks.common import environment, format_figures

from mmtbps.core.commands import EPILOG, run_command


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    commands = parser.add_subparsers(dest='command', required=True)
    for name, text in COMMANDS.items():
        module = import_module(f'benchmarks.{name}')
        command = commands.add_parser(
            name, help=text, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        command.add_argument('--repeats', type=int, default=5, help='measurements of which the median counts')
        command.add_argument('--out', metavar='JSON', help='write settings, environment and figures to this file')
        command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error(f'--repeats must be at least 1, but got {args.repeats}')
    return args


def main(argv: list[str] | None = None) -> None:
    """Run a benchmark."""
    args = parse_args(argv)
    figures = args.run(args)
    print(format_figures(args.command, figures))
    if args.out:
        settings = {key: value for key, value in vars(args).items() if key not in ('run', 'out', 'command')}
        report = dict(benchmark=args.command, settings=settings, environment=environment(), figures=figures)
        with open(args.out, 'w', encoding='utf-8') as file:
            json.dump(report, file, indent=2)


if __name__ == '__main__':
    run_command(main)
