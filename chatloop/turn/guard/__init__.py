"""Step 2: what may pass, and with which personal data taken out. One guard, one file."""
