"""The flows of the browser app in a real browser, on a stack of their own (`make e2e`)."""
