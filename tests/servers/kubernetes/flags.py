"""How the servers of the control plane are started, and what they show each other as credentials."""

from __future__ import annotations

import secrets

from tests.servers.kubernetes.kubeconfigs import kubeconfig
from tests.servers.kubernetes.places import Places
from tests.servers.pki import Authority

NODE = "node1"
_ETCD, _ETCD_PEER = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
# Kubernetes' own limit of 20 requests a second makes its start three times as long.
_FAST = ("--kube-api-qps=1000", "--kube-api-burst=2000")


def write_certificates(places: Places) -> None:
    """Everything below ``places.pki``."""
    authority = Authority(places.pki)
    inside = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    authority.server("apiserver", ["127.0.0.1", "localhost", places.address, places.kubernetes_service, *inside])
    authority.server("kubelet", ["127.0.0.1", places.address, NODE], f"system:node:{NODE}")
    authority.server("metrics", [places.gateway])
    authority.client("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters")
    authority.client("front-proxy", "front-proxy")
    authority.signing_key("accounts")
    clients = {
        "admin": ("admin", "system:masters"),
        "controllers": ("system:kube-controller-manager", ""),
        "scheduler": ("system:kube-scheduler", ""),
        "kubelet-client": (f"system:node:{NODE}", "system:nodes"),
        "kube-proxy": ("system:kube-proxy", ""),
        "kwok": ("kwok", "system:masters"),
    }
    for name, (user, group) in clients.items():
        authority.client(name, user, group)
        kubeconfig(authority, name, places.server)
    authority.client("late", "late", "system:masters", ended=True)
    kubeconfig(authority, "late", places.server)
    # A user whom the API server knows and who may do nothing.
    (places.pki / "nobody.token").write_text(secrets.token_hex(16))
    (places.pki / "tokens.csv").write_text(f"{(places.pki / 'nobody.token').read_text()},nobody,nobody\n")


def etcd(places: Places) -> list[str]:
    return [
        "--name=test",
        f"--data-dir={places.root}/etcd",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={_ETCD_PEER}",
        f"--initial-advertise-peer-urls={_ETCD_PEER}",
        f"--initial-cluster=test={_ETCD_PEER}",
    ]


def api_server(places: Places) -> list[str]:
    keys = places.pki
    return [
        f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0",
        f"--secure-port={places.server.rpartition(':')[2]}",
        f"--advertise-address={places.address}",
        f"--service-cluster-ip-range={places.services}",
        f"--tls-cert-file={keys}/apiserver.crt",
        f"--tls-private-key-file={keys}/apiserver.key",
        f"--client-ca-file={keys}/ca.crt",
        f"--token-auth-file={keys}/tokens.csv",
        f"--kubelet-client-certificate={keys}/apiserver-kubelet.crt",
        f"--kubelet-client-key={keys}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={keys}/accounts.pub",
        f"--service-account-signing-key-file={keys}/accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--profiling=false",
        *_aggregation(places),
        f"--audit-policy-file={places.root}/audit-policy.json",
        f"--audit-log-path={places.audit}",
        "--audit-log-mode=blocking",
        "--audit-log-maxsize=10000",  # MB: never rotated
    ]


def _aggregation(places: Places) -> list[str]:
    """For APIs that another server offers (metrics)."""
    return [
        f"--requestheader-client-ca-file={places.pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={places.pki}/front-proxy.crt",
        f"--proxy-client-key-file={places.pki}/front-proxy.key",
        "--enable-aggregator-routing=true",
    ]


def controller_manager(places: Places) -> list[str]:
    return [
        f"--kubeconfig={places.pki}/controllers.kubeconfig",
        "--bind-address=127.0.0.1",
        f"--service-account-private-key-file={places.pki}/accounts.key",
        f"--root-ca-file={places.pki}/ca.crt",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        *_FAST,
        "--node-monitor-grace-period=20s",
        "--horizontal-pod-autoscaler-sync-period=2s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
        "--horizontal-pod-autoscaler-downscale-stabilization=5s",
        "--profiling=false",
    ]


def scheduler(places: Places) -> list[str]:
    own = [f"--kubeconfig={places.pki}/scheduler.kubeconfig", "--bind-address=127.0.0.1"]
    return [*own, "--leader-elect=false", *_FAST, "--profiling=false"]
