"""Values and mathematics: no file, no clock, no network, no printing."""
