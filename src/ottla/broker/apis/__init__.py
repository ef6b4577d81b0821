"""One file per API that the broker serves: what is missing here is not supported."""
