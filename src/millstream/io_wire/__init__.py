"""What the io-daemon and a sandboxed engine say to each other: bytes <-> values, pure."""
