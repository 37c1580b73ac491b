"""Control over HTTP: a server around an engine, and the client of it (docs/control.md).

The routes are those of JSTorrent's node-rpc, and a few more; this package adds what a service that
runs for months needs: errors that say why, limits, a token, and checks against hostile web pages.
"""
