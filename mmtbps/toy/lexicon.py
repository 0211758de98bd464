"""The words of the toy captions: for every value of an attribute, the ways to say it."""

__all__ = ['COLOR_WORDS', 'GENERIC_NOUNS', 'HAIR_NOUNS', 'HAIR_WORDS', 'NOUNS', 'PATTERN_WORDS', 'SUBJECTS']

Words = dict[str, tuple[str, ...]]

COLOR_WORDS: Words = dict(
    black=('black', 'black', 'black', 'jet black'),
    white=('white', 'white', 'white', 'off white', 'bright white'),
    gray=('gray', 'grey', 'medium gray', 'ash gray'),
    navy=('navy', 'navy blue', 'dark blue', 'deep blue'),
    blue=('blue', 'blue', 'bright blue', 'royal blue', 'medium blue'),
    red=('red', 'red', 'bright red', 'scarlet', 'crimson'),
    pink=('pink', 'pink', 'light pink', 'rose', 'pale pink'),
    green=('green', 'green', 'grass green', 'kelly green'),
    beige=('beige', 'tan', 'khaki', 'cream', 'sand'),
    brown=('brown', 'dark brown', 'chocolate', 'chestnut'),
    purple=('purple', 'violet', 'plum'),
    yellow=('yellow', 'bright yellow', 'golden yellow', 'lemon'),
    orange=('orange', 'bright orange', 'tangerine'),
)

# The words that tell a pattern; 'plain' is said of plain garments only.
PATTERN_WORDS: Words = dict(
    plain=('plain', 'solid', 'plain colored', 'solid colored'),
    stripes=('striped', 'stripes', 'horizontal stripes', 'stripe pattern', 'horizontally striped', 'bands'),
    plaid=('plaid', 'checkered', 'checked', 'tartan', 'checks', 'plaid pattern', 'squares'),
    dots=('dotted', 'polka dot', 'polka dots', 'dots', 'spotted', 'spots'),
    print=(
        'graphic',
        'logo on the front',
        'design on the chest',
        'picture on it',
        'print on the front',
        'emblem on the chest',
        'graphic on the front',
    ),
    block=('two tone', 'color block', 'lower half', 'bottom half', 'lower part'),
    stripe=(
        'stripe down the side',
        'stripe along the leg',
        'side stripes',
        'stripes down the sides',
        'stripe on the side',
    ),
)

NOUNS: dict[str, Words] = dict(
    top={
        't-shirt': (
            't-shirt',
            'tshirt',
            'tee shirt',
            'tee',
            'short sleeve shirt',
            'short sleeved shirt',
            'short sleeve top',
        ),
        'tank top': ('tank top', 'sleeveless shirt', 'sleeveless top', 'tank', 'vest top'),
        'shirt': ('button up shirt', 'collared shirt', 'dress shirt', 'buttoned shirt', 'button down shirt'),
        'sweater': ('sweater', 'pullover', 'jumper', 'long sleeve top', 'long sleeved sweater'),
        'hoodie': ('hoodie', 'hooded sweatshirt', 'hooded sweater', 'hooded jacket', 'sweatshirt with a hood'),
        'jacket': ('jacket', 'open jacket', 'blazer', 'unzipped jacket', 'light jacket'),
        'coat': ('coat', 'long coat', 'overcoat', 'trench coat', 'knee length coat'),
        'dress': ('dress', 'short sleeved dress', 'knee length dress', 'gown', 'one piece dress'),
    },
    bottom=dict(
        pants=('pants', 'trousers', 'slacks', 'long pants', 'full length pants'),
        shorts=('shorts', 'short pants', 'bermuda shorts', 'knee high shorts'),
        capris=('capris', 'capri pants', 'cropped pants', 'calf length pants', 'three quarter pants'),
        skirt=('skirt', 'knee length skirt', 'flared skirt', 'short skirt'),
    ),
    shoes=dict(
        sneakers=('sneakers', 'tennis shoes', 'running shoes', 'athletic shoes', 'trainers'),
        boots=('boots', 'high boots', 'ankle boots', 'calf high boots'),
        sandals=('sandals', 'flip flops', 'open toed shoes', 'slippers'),
        flats=('flats', 'flat shoes', 'loafers', 'slip on shoes', 'dress shoes'),
    ),
    bag={
        'backpack': ('backpack', 'back pack', 'rucksack', 'book bag', 'knapsack'),
        'shoulder bag': ('shoulder bag', 'messenger bag', 'satchel', 'crossbody bag', 'sling bag'),
        'handbag': ('handbag', 'hand bag', 'purse', 'tote', 'tote bag'),
        'plastic bag': ('plastic bag', 'shopping bag', 'grocery bag', 'carrier bag', 'sack'),
        'suitcase': ('suitcase', 'rolling suitcase', 'trolley case', 'travel case', 'wheeled suitcase'),
    },
    hat={
        'cap': ('cap', 'baseball cap', 'ball cap', 'peaked cap'),
        'beanie': ('beanie', 'knit hat', 'knitted hat', 'woolen hat', 'bobble hat'),
        'sun hat': ('sun hat', 'wide brimmed hat', 'straw hat', 'brimmed hat'),
    },
    glasses=dict(
        glasses=('glasses', 'eyeglasses', 'spectacles', 'black framed glasses', 'prescription glasses'),
        sunglasses=('sunglasses', 'dark glasses', 'shades', 'dark sunglasses'),
    ),
    scarf=dict(scarf=('scarf', 'neck scarf', 'shawl', 'muffler')),
)

# Words that name a part and leave open which kind it is, and the kinds they fit.
GENERIC_NOUNS: dict[str, dict[str, tuple[str, ...]]] = dict(
    top=dict(
        shirt=('t-shirt', 'tank top', 'shirt', 'sweater'),
        top=('t-shirt', 'tank top', 'shirt', 'sweater', 'hoodie'),
        garment=('jacket', 'coat', 'hoodie'),
        outfit=('dress',),
    ),
    bottom=dict(bottoms=('pants', 'shorts', 'capris')),
    shoes=dict(shoes=('sneakers', 'boots', 'sandals', 'flats'), footwear=('sneakers', 'boots', 'sandals', 'flats')),
    bag=dict(bag=('backpack', 'shoulder bag', 'handbag', 'plastic bag')),
    hat=dict(hat=('cap', 'beanie', 'sun hat')),
)

HAIR_WORDS: dict[str, Words] = dict(
    color=dict(
        black=('black', 'dark', 'jet black'),
        brown=('brown', 'brunette', 'chestnut'),
        blonde=('blonde', 'blond', 'golden', 'fair'),
        red=('red', 'ginger', 'auburn'),
        gray=('gray', 'grey', 'silver'),
    ),
    style=dict(
        short=('short', 'cropped', 'short cut', 'closely cut'),
        medium=('medium length', 'chin length', 'neck length'),
        long=('long', 'long flowing', 'long straight', 'long loose'),
    ),
)
# Ways to wear the hair that are nouns themselves.
HAIR_NOUNS: Words = dict(
    ponytail=('ponytail', 'pony tail'),
    bun=('bun', 'top knot', 'knot'),
    bald=('bald head', 'shaved head', 'no hair'),
)

SUBJECTS: Words = dict(
    man=('man', 'man', 'man', 'male', 'guy', 'gentleman', 'fellow'),
    woman=('woman', 'woman', 'woman', 'lady', 'female', 'girl'),
    person=('person', 'pedestrian', 'individual'),
)
