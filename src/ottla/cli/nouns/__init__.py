"""What the verbs of one noun share: options, rows, words."""
