"""``mmtbps report``: what tests have written."""

__all__ = ['compare']


def compare(a: str, b: str, /, *, samples: int = 10_000, changes: int = 5, out: str | None = None) -> None:
    """Show what changed between two tests of the same data: reports A and B of `mmtbps test --report`.

    The interval of a difference comes from a paired bootstrap that draws persons, each with all its queries: queries of
    one person are not independent of each other.

    For example:

        mmtbps report compare report_baseline report_mine

    Args:
        a: Folder of report A.
        b: Folder of report B.
        samples: Samples of the bootstrap.
        changes: Largest gains and losses listed.
        out: Write the comparison to this JSON.
    """
    from mmtbps.apis.reports.comparison import compare_reports, format_comparison
    from mmtbps.apis.reports.files import load_report
    from mmtbps.core.files import write_atomically
    from mmtbps.core.json_text import format_json

    one, other = load_report(a), load_report(b)
    comparisons = compare_reports(one, other, samples, changes)
    for name, report in (('A', one), ('B', other)):
        meta = report.meta
        print(f'{name}: {meta.get("model")}, {meta.get("checkpoint")}, trained on {meta.get("trained_on")}')
    print(f'on {one.meta.get("dataset")} {one.meta.get("split")}')
    for comparison in comparisons:
        print(format_comparison(comparison))
    if out:
        content = [dict(c._asdict(), changes=[change._asdict() for change in c.changes]) for c in comparisons]
        write_atomically(out, format_json(content).encode())
