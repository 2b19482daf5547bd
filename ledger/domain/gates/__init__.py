"""Gates: preflight, criteria, waivers."""
