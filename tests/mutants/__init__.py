"""Faults that are planted in the rules, to see that the unit tests catch them: `make mutants`."""
