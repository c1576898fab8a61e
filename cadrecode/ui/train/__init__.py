"""The Train tab: "can it learn my parts?"."""
