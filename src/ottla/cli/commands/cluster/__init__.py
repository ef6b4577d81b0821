"""The cluster itself: its nodes, its quorum, what it offers."""
