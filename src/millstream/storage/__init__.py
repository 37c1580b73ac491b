"""Where the bytes of a torrent lie, and the buffers they pass through."""
