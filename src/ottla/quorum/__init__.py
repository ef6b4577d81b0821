"""The ordered log that holds the cluster's metadata, and the election of who may write it.

`contract` says what every engine must do; consensus itself is never written here, each engine
stands on something that has it.
"""
