"""The verbs. Views, tasks, admin actions and commands parse, call one of these, and translate the result."""
