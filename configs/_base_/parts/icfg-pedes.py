files = dict(type='ICFGPEDES', data_root='data/icfg_pedes')
