"""Every word the app shows, in English and Simplified Chinese."""
