"""What every gRPC process shares: start, health, errors, logs, metrics, TLS, tokens, channels."""
