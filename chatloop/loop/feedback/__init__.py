"""Stage 6: what people say about the bot, checked and kept, and turned into training rows."""
