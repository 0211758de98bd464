_base_ = './icfg_pedes.py'

word_table = 'data/icfg_pedes/clip_words.npz'
train_dataloader = dict(dataset=dict(tokenizer=dict(type='WordTableTokenizer', table=word_table)))
