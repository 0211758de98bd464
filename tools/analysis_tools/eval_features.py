"""Evaluate features that tools/test.py --dump wrote, without the model."""

import argparse

import mmtbps  # noqa: F401  (makes `_base_ = 'mmtbps::...'` known)
from mmtbps.apis.options import ranking_settings
from mmtbps.apis.provenance import check_provenance
from mmtbps.apis.reports.writer import write_report
from mmtbps.core.commands import EPILOG, run_command
from mmtbps.core.files import write_atomically
from mmtbps.core.json_text import format_json
from mmtbps.evaluation import load_features, score_directions
from mmtbps.evaluation.functional import summarize
from mmtbps.evaluation.table import format_figures
from mmtbps.registry import RERANKERS
from mmtbps.zoo import read_config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('features', help='file of tools/test.py --dump (.npz)')
    parser.add_argument(
        '--config',
        help='verify that the features come from this model and test set, and rank as its test_evaluator',
    )
    parser.add_argument('--checkpoint', help='verify that the features come from these weights')
    parser.add_argument(
        '--rerank', nargs='+', default=[], metavar='TYPE', help='further re-rankers, such as NeighborJaccard'
    )
    parser.add_argument('--topk', nargs='+', type=int, help='ranks of CMC (default: those of the config, or 1 5 10)')
    parser.add_argument('--report', metavar='DIR', help='write metrics, ranks per query, plots and the worst queries')
    parser.add_argument('--out', metavar='JSON', help='write the metrics to this file')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    features = load_features(args.features)
    cfg = read_config(args.config) if args.config else None
    check_provenance(features, cfg, args.checkpoint)
    settings = ranking_settings(cfg) if cfg else dict(rerankers=[], topk=(1, 5, 10))
    rerankers = [*settings['rerankers'], *(RERANKERS.build(dict(type=name)) for name in args.rerank)]
    topk = args.topk or settings['topk']
    if args.report:
        figures = write_report(features, args.report, rerankers, topk)
    else:
        scores = score_directions(features.directions(), rerankers)
        figures = {name: summarize(row, topk) for name, row in scores.items()}
    meta = features.meta
    print(format_figures(figures, f'{meta.get("checkpoint")} on {meta.get("dataset")} {meta.get("split")}'))
    if args.out:
        write_atomically(args.out, format_json(dict(meta=meta, figures=figures)).encode())


if __name__ == '__main__':
    run_command(main)
