# Your own data: data/mine/captions.csv with the columns image, caption, person_id and split, images in data/mine/imgs.
files = dict(type='PersonCaptions', data_root='data/mine', ann_file='captions.csv')
