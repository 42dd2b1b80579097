import sys
from pathlib import Path

# Scripts of bench/ import each other by their plain names; at the end, so that none hides a module of Python's.
sys.path.append(str(Path(__file__).parents[2] / "bench"))
