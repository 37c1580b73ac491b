"""The daemon that lends its machine's sockets and files to an engine that may touch neither."""
