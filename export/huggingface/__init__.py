"""Folders of Hugging Face image classifiers: their networks, and how they eat photographs."""
