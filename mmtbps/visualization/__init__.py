from .embedding_map import draw_embedding_map, project_to_plane
from .query_page import FoundImage, QueryCard, write_query_page
from .ranked_list import RankedList, draw_ranked_lists, draw_ranking, rank_examples
from .report_plots import draw_cmc, draw_similarities
from .tbps_visualizer import TBPSVisualizer

__all__ = [
    'FoundImage',
    'QueryCard',
    'RankedList',
    'TBPSVisualizer',
    'draw_cmc',
    'draw_embedding_map',
    'draw_ranked_lists',
    'draw_ranking',
    'draw_similarities',
    'project_to_plane',
    'rank_examples',
    'write_query_page',
]
