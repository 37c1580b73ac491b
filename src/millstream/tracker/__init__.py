"""Trackers (BEP 3, 15, 48): machines and codecs that do no I/O and know no torrent."""
