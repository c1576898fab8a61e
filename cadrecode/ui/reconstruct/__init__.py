"""The Reconstruct tab: "what is this part?"."""
