"""Groups at a command line: how far they are behind, and where they shall go."""
