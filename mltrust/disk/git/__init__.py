"""git: found, confined, run and asked for objects in one place, whoever wants something of it."""
