"""Image sources: folders, archives and arrays of labelled 8-bit images, recognised by content."""
