"""The plan and its way back, run in a namespace that dies with the process."""
