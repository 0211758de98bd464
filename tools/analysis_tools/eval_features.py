"""Evaluate features that ``mmtbps test --dump`` wrote, without the model."""

from typing import Annotated

from cyclopts import Parameter

from mmtbps.cli import Command
from mmtbps.cli.arguments import Words
from mmtbps.core.commands import run_command


def evaluate(
    features: str,
    /,
    *,
    config: str | None = None,
    checkpoint: str | None = None,
    rerank: Words = None,
    topk: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    report: str | None = None,
    out: str | None = None,
) -> None:
    """Evaluate features that `mmtbps test --dump` wrote, without the model.

    Args:
        features: The file (.npz).
        config: Verify that the features come from this model and test set, and rank as its test_evaluator.
        checkpoint: Verify that the features come from these weights.
        rerank: Further re-rankers, such as NeighborJaccard.
        topk: Ranks of CMC (default: those of the config, or 1 5 10).
        report: Write metrics, ranks per query, plots and the worst queries into this folder.
        out: Write the metrics to this JSON.
    """
    from mmtbps.apis.options import ranking_settings
    from mmtbps.apis.provenance import check_provenance
    from mmtbps.apis.reports.writer import write_report
    from mmtbps.core.files import write_atomically
    from mmtbps.core.json_text import format_json
    from mmtbps.evaluation import load_features, score_directions
    from mmtbps.evaluation.functional import summarize
    from mmtbps.evaluation.table import format_figures
    from mmtbps.registry import RERANKERS
    from mmtbps.zoo import read_config

    dumped = load_features(features)
    cfg = read_config(config) if config else None
    check_provenance(dumped, cfg, checkpoint)
    settings = ranking_settings(cfg) if cfg else dict(rerankers=[], topk=(1, 5, 10))
    rerankers = [*settings['rerankers'], *(RERANKERS.build(dict(type=name)) for name in rerank or [])]
    ranks = topk or settings['topk']
    if report:
        figures = write_report(dumped, report, rerankers, ranks)
    else:
        scores = score_directions(dumped.directions(), rerankers)
        figures = {name: summarize(row, ranks) for name, row in scores.items()}
    meta = dumped.meta
    print(format_figures(figures, f'{meta.get("checkpoint")} on {meta.get("dataset")} {meta.get("split")}'))
    if out:
        write_atomically(out, format_json(dict(meta=meta, figures=figures)).encode())


main = Command(evaluate)

if __name__ == '__main__':
    run_command(main)
