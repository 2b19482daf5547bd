"""The log: envelopes, identities, canonical bytes, hashes, older versions of events."""
