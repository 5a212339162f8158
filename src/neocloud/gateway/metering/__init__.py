"""What runs, whether anybody asks or not: health, accelerators held, energy, as the ledger has it.

What a request used is counted where it is served, in `requests`.
"""
