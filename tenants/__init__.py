"""REMEMBER: rows, seals, who did what. No OAuth machinery, no HTTP. Start at models/, then vault.py."""
