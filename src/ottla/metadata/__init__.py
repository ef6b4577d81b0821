"""The cluster's metadata: an immutable image, and the controller's decisions about it.

Pure and synchronous. A decision reads an image and gives the records to append; only replaying
records makes a new image, on every node in the same way.
"""
