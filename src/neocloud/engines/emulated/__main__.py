"""`python -m neocloud.engines.emulated`."""

import sys

from neocloud.engines.emulated.process import main

if __name__ == "__main__":
    sys.exit(main())
