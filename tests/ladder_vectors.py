"""Where the ladder's vectors are: numbers that the public codes of later methods produced, see their READMEs."""

import os
from pathlib import Path

FOLDER = Path(os.environ.get('MMTBPS_LADDER_VECTORS', Path(__file__).parent / 'data' / 'ladder_vectors'))
