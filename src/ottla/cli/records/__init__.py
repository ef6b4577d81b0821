"""Records at a command line: how they are typed, chosen and printed."""
