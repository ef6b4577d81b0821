"""One module per command, one folder per noun; each module has its `command`."""
