"""Show what changed between two tests of the same data: reports A and B of tools/test.py --report.

The interval of a difference comes from a paired bootstrap that draws persons, each with all its queries: queries of one
person are not independent of each other.
"""

import argparse

from mmtbps.apis.reports.comparison import compare_reports, format_comparison
from mmtbps.apis.reports.files import load_report
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.core.files import write_atomically
from mmtbps.core.json_text import format_json


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('a', help='folder of report A')
    parser.add_argument('b', help='folder of report B')
    parser.add_argument('--samples', type=int, default=10_000, help='samples of the bootstrap (default: %(default)s)')
    parser.add_argument('--changes', type=int, default=5, help='largest gains and losses listed (default: %(default)s)')
    parser.add_argument('--out', metavar='JSON', help='write the comparison to this file')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    one, other = load_report(args.a), load_report(args.b)
    comparisons = compare_reports(one, other, args.samples, args.changes)
    for name, report in (('A', one), ('B', other)):
        meta = report.meta
        print(f'{name}: {meta.get("model")}, {meta.get("checkpoint")}, trained on {meta.get("trained_on")}')
    print(f'on {one.meta.get("dataset")} {one.meta.get("split")}')
    for comparison in comparisons:
        print(format_comparison(comparison))
    if args.out:
        content = [dict(c._asdict(), changes=[change._asdict() for change in c.changes]) for c in comparisons]
        write_atomically(args.out, format_json(content).encode())


if __name__ == '__main__':
    run_command(main)
