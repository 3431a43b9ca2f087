"""How often and how long trouble is borne: one place, so that a crash loop is the same thing on every backend."""

from __future__ import annotations

CRASHES_IN_ONE_SLOT = 3
# The kubelet starts a process again at once after its first end and 10 to 15 s after its second, so that the third end
# is known after 13 to 17 s (Kubernetes 1.34, measured 2026-11): too late, and the backend's own word is enough.
CRASHES_WHEN_HELD_BACK = 2
TRANSIENT_S = 20.0
UNSCHEDULABLE_S = 30.0
