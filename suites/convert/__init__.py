"""How the recorded suites were made from the corpora that they come from; see the README of each suite.

Each module reads a corpus below the folder that the variable PYTEST_AGENTEVAL_DATA names, and writes the
case files and recordings of a suite. The same corpus gives the same bytes.
"""
