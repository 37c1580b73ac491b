"""Decisions: pure, synchronous, told the time. No I/O, no clock, no chance but a given one."""
