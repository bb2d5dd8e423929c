"""What can be stated about roots: one file per predicate type."""
