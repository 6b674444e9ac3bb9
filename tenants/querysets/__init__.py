"""Questions about many rows, and the statements that must be one statement. Below the models, in plain column names."""
