"""The use cases: what the plugin and the command do, wired from the rooms below. Nothing is computed here."""
