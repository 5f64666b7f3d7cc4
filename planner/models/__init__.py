"""The nouns. Frozen pydantic models; every stage is a function from nouns to nouns."""
