"""The engine of the read side: follows the log, keeps checkpoints, rebuilds."""
