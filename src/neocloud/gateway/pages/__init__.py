"""What is read with GET beside the APIs: models, health, the metrics, the OpenAPI document."""
