files = dict(type='RSTPReid', data_root='data/rstp_reid')
