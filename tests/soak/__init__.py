"""A watch for weeks, in compressed time: memory, descriptors and threads stay flat."""
