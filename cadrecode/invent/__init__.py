"""New programs: parts that are drawn, turned, warped, and spelled canonically, as the embedded base writes."""
