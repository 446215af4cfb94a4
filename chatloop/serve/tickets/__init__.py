"""Conversations that a person takes over: kept as tickets, sent to the company's help desk."""
