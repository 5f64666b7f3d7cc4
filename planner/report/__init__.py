"""An assessment in one format each."""
