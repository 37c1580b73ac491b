"""The native host: what a browser's extension asks for that only a program outside can do."""
