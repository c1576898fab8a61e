"""Pages that open anywhere: an evaluation with its tables, charts and shapes that can be turned."""
