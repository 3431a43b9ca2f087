"""Configuration files of the node's programs and of the API server's audit log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.servers.kubernetes.images import PAUSE
from tests.servers.kubernetes.places import Places

CNI_PROGRAMS = "/usr/lib/cni"


def write_node(places: Places, node: str, cgroup: str) -> None:
    """Everything that containerd, the kubelet and kube-proxy read."""
    root = places.root
    for folder in ("cni", "certs.d/_default", "certs.d/127.0.0.1:1"):
        (root / folder).mkdir(parents=True)
    (root / "containerd.toml").write_text(_containerd(root))
    (root / "cni" / "10-test.conflist").write_text(json.dumps(_network(places)))
    # Whatever name an image has, nobody outside is asked; port 1 stays what it is, a registry that refuses.
    _write_hosts(root / "certs.d/_default", f"http://{places.registry}")
    _write_hosts(root / "certs.d/127.0.0.1:1", "http://127.0.0.1:1")
    (root / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # the kubelet refuses an empty one
    (root / "kubelet.json").write_text(json.dumps(_kubelet(places, cgroup)))
    (root / "kube-proxy.json").write_text(json.dumps(_proxy(places, node)))


def write_audit_policy(path: Path) -> None:
    """Who asked for what: at the receipt, which is written before anything is answered, and at the end.

    Everybody's requests but those of the cluster's own parts to each other.
    """
    parts = ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"]
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["ResponseStarted"],
        "rules": [
            {"level": "None", "users": parts},
            {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
            {"level": "Metadata"},
        ],
    }
    path.write_text(json.dumps(policy))


def _write_hosts(folder: Path, server: str) -> None:
    (folder / "hosts.toml").write_text(
        f'server = "{server}"\n[host."{server}"]\n  capabilities = ["pull", "resolve"]\n'
    )


def _containerd(root: Path) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{root}/containerd"
state = "{root}/containerd-state"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "{root}/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"

[{cri}]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [{cri}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [{cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [{cri}.containerd.runtimes.runc.options]
        SystemdCgroup = false
  [{cri}.cni]
    bin_dir = "{CNI_PROGRAMS}"
    conf_dir = "{root}/cni"
  [{cri}.registry]
    config_path = "{root}/certs.d"
"""


def _network(places: Places) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": str(places.root / "addresses"),
        "ranges": [[{"subnet": places.pods}]],
    }
    bridge = {
        "type": "bridge",
        "bridge": places.bridge,
        "isDefaultGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "test", "plugins": [bridge, ports]}


def _kubelet(places: Places, cgroup: str) -> dict[str, Any]:
    root = places.root
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": places.address,
        "port": 10250,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "tlsCertFile": str(places.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(places.pki / "kubelet.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(places.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{root}/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failSwapOn": False,
        "failCgroupV1": False,
        "makeIPTablesUtilChains": False,
        "resolvConf": str(root / "resolv.conf"),
        "serializeImagePulls": False,
        "podPidsLimit": -1,
        "nodeStatusUpdateFrequency": "5s",
        "nodeStatusReportFrequency": "1m",
        "syncFrequency": "10s",
        # The machine's disks are not this node's to judge: no image is dropped, no pod is sent away for them.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "podLogsDir": str(root / "pod-logs"),
        "volumePluginDir": str(root / "volume-plugins"),
        "featureGates": {"KubeletCrashLoopBackOffMax": True, "KubeletInUserNamespace": True},
        # Kubernetes waits five minutes between restarts in the end; tests do not.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "5s"},
    }


def _proxy(places: Places, node: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        "bindAddress": places.address,
        "clusterCIDR": places.pods,
        "hostnameOverride": node,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # 0: leave them, they belong to the whole machine.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "clientConnection": {"kubeconfig": str(places.pki / "kube-proxy.kubeconfig")},
        "detectLocalMode": "ClusterCIDR",
    }
