"""The real world: sockets, clocks, disks, and the loop that serves them."""
