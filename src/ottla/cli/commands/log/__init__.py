"""Look into the files of logs, check them, mend them."""
