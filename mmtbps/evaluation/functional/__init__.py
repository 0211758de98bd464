"""Ranking and re-ranking as pure functions of tensors; nothing here needs MMEngine."""

from .ranking import (
    QueryScores,
    rank_features,
    rank_metrics,
    score_features,
    score_similarity,
    summarize,
)

__all__ = [
    'QueryScores',
    'rank_features',
    'rank_metrics',
    'score_features',
    'score_similarity',
    'summarize',
]
