"""Fuzz targets: every parser that meets the network, fed with whatever may come.

    python -m fuzz --list
    python -m fuzz bencode --seconds 60
    python -m fuzz all --seconds 600          # shared out among all targets
    python -m fuzz bencode --replay FILE      # what was found before

A target takes bytes and returns, or raises what is documented; anything else is a bug. Inputs come
from Hypothesis: random bytes, and valid messages with a few changes. With `--atheris` they come from
atheris, if that is installed. The tests run each target some hundred times (`tests/property`).
"""
