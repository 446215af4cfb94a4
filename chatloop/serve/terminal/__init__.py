"""The chat in a terminal: streamed answers, who gave them and why, feedback after each."""
