"""Test files of projects as a user would write them: each is copied into a project of its own."""
