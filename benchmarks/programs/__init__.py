"""Programs that are started as processes of their own: the bare floors, and figures taken from within."""
