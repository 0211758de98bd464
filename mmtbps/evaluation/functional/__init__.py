"""Ranking and re-ranking as pure functions of tensors; nothing here needs MMEngine."""

from .bootstrap import paired_bootstrap
from .histogram import similarity_histogram
from .jaccard import neighbor_jaccard, neighbor_jaccard_rows
from .k_reciprocal import k_reciprocal_distance, k_reciprocal_rows
from .neighbors import Rows
from .query_expansion import average_query_expansion
from .ranking import QueryScores, rank_features, rank_metrics, score_features, score_rows, score_similarity, summarize
from .shortlist import rerank_shortlist, shortlist_jaccard

__all__ = [
    'QueryScores',
    'Rows',
    'average_query_expansion',
    'k_reciprocal_distance',
    'k_reciprocal_rows',
    'neighbor_jaccard',
    'neighbor_jaccard_rows',
    'paired_bootstrap',
    'rank_features',
    'rank_metrics',
    'rerank_shortlist',
    'score_features',
    'score_rows',
    'score_similarity',
    'shortlist_jaccard',
    'similarity_histogram',
    'summarize',
]
