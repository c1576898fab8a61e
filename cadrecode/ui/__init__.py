"""The Gradio app. It draws and wires; what it shows is decided in the rooms below."""

from cadrecode.ui import stubs as stubs  # before the first import of Gradio
