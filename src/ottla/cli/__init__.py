"""The command line: `ottla <noun> <verb>`, placed by path under `commands/`."""
