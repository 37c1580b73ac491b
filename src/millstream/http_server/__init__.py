"""What our HTTP servers have in common, the tracker's and the control server's."""
