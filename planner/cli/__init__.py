"""One file for each command; the only package that imports typer."""
