"""Readers and writers of file formats, one file for each, and what they share."""
