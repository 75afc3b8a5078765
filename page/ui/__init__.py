"""The page's widgets; the only folder, beside server, that imports gradio."""
