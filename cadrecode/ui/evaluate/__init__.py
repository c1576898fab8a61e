"""The Evaluate tab: "how good is it, honestly?"."""
