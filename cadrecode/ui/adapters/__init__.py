"""The Adapters tab: "what do I have, and how do I hand it on?"."""
