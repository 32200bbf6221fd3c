"""What operators of our processes watch: `/metrics` for Prometheus, `/healthz` and `/readyz`.

`server` serves them, `chain`, `agent` and `ingress` say what each process measures. Nothing here decides anything.
"""
