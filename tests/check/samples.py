"""samples.py FILE TRUTH.csv: every sample of the device is there, bit for bit, and no other."""

import sys

from recording import load
from same_as_truth import compare
from truth import Truth

truth = Truth(sys.argv[2])
compare(load(sys.argv[1])[truth.name], truth)
