"""People who look at feeds: they seed the demo and close the loop in evaluation."""
