"""The Gradio app. It draws and wires; what it shows is decided in the rooms below."""

from cadrecode.ui.importing import import_gradio_quickly

import_gradio_quickly()
