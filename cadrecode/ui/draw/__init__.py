"""Numbers and states to pieces of the page: figures, tables, 3D views, forms."""
