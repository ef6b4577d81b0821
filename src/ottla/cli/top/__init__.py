"""`ottla top`: what goes on in a cluster, from two looks at its offsets."""
