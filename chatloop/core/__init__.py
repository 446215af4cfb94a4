"""Layer 1, the floor: types, settings, errors, files. Knows no network and no model."""
