"""The Gradio app. It draws and wires; what it shows is decided in the rooms below."""
