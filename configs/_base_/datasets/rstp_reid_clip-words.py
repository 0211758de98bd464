_base_ = './rstp_reid.py'

word_table = 'data/rstp_reid/clip_words.npz'
train_dataloader = dict(dataset=dict(tokenizer=dict(type='WordTableTokenizer', table=word_table)))
