"""Ready engines: adapters put into an engine, and nothing else."""
