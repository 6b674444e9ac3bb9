"""The command `broker`: the API at a prompt."""
