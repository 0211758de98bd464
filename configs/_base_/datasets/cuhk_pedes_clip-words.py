# tools/dataset_tools/build_word_table.py writes the table. Its words have ids, also those that training never shows.
_base_ = './cuhk_pedes.py'

word_table = 'data/cuhk_pedes/clip_words.npz'
train_dataloader = dict(dataset=dict(tokenizer=dict(type='WordTableTokenizer', table=word_table)))
