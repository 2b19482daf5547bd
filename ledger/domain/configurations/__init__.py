"""Configurations: kept, named, vouched for, put in force."""
