"""What a daemon does by itself, beside the engine: watch folders, scripts, webhooks, a reload.

It stands on the public face of Millstream, as `rpc` does: whatever it does, a program of a user's
own could do.
"""
