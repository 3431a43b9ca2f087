"""The commented spec that ``orchctl init NAME`` writes."""

from __future__ import annotations

_TEXT = """\
# A service for orchctl. Check it with `orchctl validate`, see what would happen with `orchctl plan`.
apiVersion: orchctl.dev/v1
name: {name}

# What runs: a container image, a command, or both (the command then replaces the image's entrypoint).
image: ${{IMAGE:-registry.example.com/{name}:1.0}}
# command: ["serve", "--port", "$(PORT_HTTP)"]

replicas: 2

ports:
  - {{name: http, port: 8080}}           # the process finds its port in PORT_HTTP; expose: host | cluster | external

env:
  LOG_LEVEL: ${{LOG_LEVEL:-info}}        # from the environment, an --env-file or .env; else info
  # TOKEN: {{secret: "env:TOKEN"}}       # secrets are references: NAME, env:NAME, file:PATH, exec:COMMAND

# files:
#   /etc/{name}/settings.toml: {{source: settings.toml}}

# resources: {{cpu: 250m, memory: 256Mi, limits: {{memory: 512Mi}}}}

health:
  ready: {{http: {{path: /, port: http}}, interval: 2s}}   # http | tcp | exec | grpc

rollout: {{max_surge: 1, max_unavailable: 0, min_ready: 2s, deadline: 5m, on_failure: rollback}}
stop: {{grace: 30s, drain: 5s}}          # drain: still serving after it left the endpoints

# What only one backend understands. Plain processes have no image, so they need a command:
backends:
  local: {{command: [python3, -m, http.server, $(PORT_HTTP), --bind, 127.0.0.1]}}
"""


def starter_text(name: str) -> str:
    """A valid spec for a service called ``name``, with the usual fields and what else there is in comments."""
    return _TEXT.format(name=name)
