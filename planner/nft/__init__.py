"""The language of nft(8): tokens, commands, rules as the expressions of its JSON form, and the text that it prints."""
