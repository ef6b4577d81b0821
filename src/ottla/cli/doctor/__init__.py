"""`ottla doctor`: what is wrong with a cluster as this machine sees it, and what helps."""
