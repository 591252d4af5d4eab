"""`make clients`: the models and operations of the client kits, generated from the OpenAPI document."""
