"""New programs: parts that are drawn, turned, warped, and spelled in the one spelling of the embedded base."""
