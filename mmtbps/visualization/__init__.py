from .query_page import FoundImage, QueryCard, write_query_page
from .ranked_list import draw_ranked_lists, draw_ranking
from .report_plots import draw_cmc, draw_similarities

__all__ = [
    'FoundImage',
    'QueryCard',
    'draw_cmc',
    'draw_ranked_lists',
    'draw_ranking',
    'draw_similarities',
    'write_query_page',
]
