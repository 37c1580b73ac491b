"""The processes that a run is made of: the two clients, and neutral peers to measure them with."""
