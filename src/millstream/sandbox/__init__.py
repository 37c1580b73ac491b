"""Giving up what a process may do: files and sockets (Linux)."""
