"""Language models: the servers that are spoken to, and what keeps a bad one from hurting."""
