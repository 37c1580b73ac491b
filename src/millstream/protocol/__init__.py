"""Bytes to values and back: pure, synchronous, standard library only. A BEP is found by `ls`."""
