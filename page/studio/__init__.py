"""What the widgets ask for, without gradio: runs, their folders, the queue and its tasks, previews."""
