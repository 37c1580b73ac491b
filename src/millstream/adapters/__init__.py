"""Platforms: each subpackage implements `millstream.interfaces` on one of them."""
