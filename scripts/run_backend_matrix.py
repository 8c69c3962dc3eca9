#!/usr/bin/env python3
"""The same as `mittelo matrix`, from a checkout."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).with_name("_mittelo.py")))["start"]("matrix")
