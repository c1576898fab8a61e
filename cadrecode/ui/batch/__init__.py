"""The Batch tab: "all of these, please"."""
