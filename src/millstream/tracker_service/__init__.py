"""A small tracker on this machine's sockets, HTTP and UDP, for private swarms and for tests."""
