"""Consumer groups: who reads, how far they are, and where they shall go."""
