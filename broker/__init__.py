"""ACT: settings, services, and every surface: API, connect pages, admin, tasks, commands."""
