"""Replays API calls that were recorded on AWS. The recordings are no part of the project and must never be copied here."""
