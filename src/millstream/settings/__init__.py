"""The settings of the engine and the service as users give them: a TOML file, the environment over it.

What can be set is read from the dataclasses of `EngineConfig` and `ServiceConfig`, and so are the
words about it: a setting that is added there can be set, is checked and is documented without a
line here.
"""
