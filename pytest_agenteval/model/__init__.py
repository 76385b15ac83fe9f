"""Frozen values: what a case, a trial, a score, an estimate, a baseline and a verdict are."""
