"""`python -m repro` is the command `repro`."""

import sys

from repro.cli import main

sys.exit(main())
