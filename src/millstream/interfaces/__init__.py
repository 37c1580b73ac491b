"""What the engine asks of a platform, as Protocols. No code, only contracts."""
