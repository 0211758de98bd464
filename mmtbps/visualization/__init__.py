"""Pictures of ranked lists and embeddings."""

from .embedding_map import draw_embedding_map, project_to_plane
from .ranked_list import RankedList, draw_ranked_lists, draw_ranking, rank_examples
from .tbps_visualizer import TBPSVisualizer
from .text import draw_text

__all__ = [
    'RankedList',
    'TBPSVisualizer',
    'draw_embedding_map',
    'draw_ranked_lists',
    'draw_ranking',
    'draw_text',
    'project_to_plane',
    'rank_examples',
]
