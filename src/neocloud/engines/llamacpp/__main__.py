"""`python -m neocloud.engines.llamacpp`."""

import sys

from neocloud.engines.llamacpp.process import main

if __name__ == "__main__":
    sys.exit(main())
