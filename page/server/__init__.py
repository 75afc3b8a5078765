"""What stands before gradio: who may ask, how much, and in which shape."""
