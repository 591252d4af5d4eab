"""From engagement to a promoted ranking model."""
