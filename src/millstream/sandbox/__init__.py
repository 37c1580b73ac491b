"""Giving up what a process may do: files, sockets and programs, for good. Linux; elsewhere it says so."""
