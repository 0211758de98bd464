"""Where the reference vectors are: numbers that the paper's public code produced, see their README."""

import os
from pathlib import Path

FOLDER = Path(os.environ.get('MMTBPS_REFERENCE_VECTORS', Path(__file__).parent / 'data' / 'reference_vectors'))
