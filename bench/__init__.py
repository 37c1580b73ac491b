"""Millstream and libtorrent side by side; `python -m bench`, see README.md."""
