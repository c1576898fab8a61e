"""Point clouds to short, editable CadQuery programs. Nothing heavy is imported here."""

__version__ = "0.1.0"
