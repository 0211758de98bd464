from .ranked_list import draw_ranked_lists, draw_ranking

__all__ = ['draw_ranked_lists', 'draw_ranking']
