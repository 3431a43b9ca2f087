"""What each setting of a context and each environment variable means: one sentence each."""

from __future__ import annotations

from collections.abc import Mapping

COMMON: Mapping[str, str] = {
    "backend": "Name of the backend; the only key that a context must have.",
    "namespace": "Namespace of services whose spec and command line name none. Default default.",
    "protected": "true: verbs that write need --yes=CONTEXT, or the name typed at the terminal. Default false.",
    "catalog": "Name of a catalog: a table [catalogs.NAME] of the configuration.",
    "store": "consul: records and locks are kept in the catalog. Default: with the backend.",
    "cluster": "What the cluster is called in a shared store; everybody who deploys to it must say the same.",
    "register": "true: services that do not say stand in the catalog. Default false.",
    "register_address": "service or instance: whose addresses stand there, where the spec does not say. Default service.",
}
"""Keys of every ``[contexts.NAME]`` table."""

CATALOGS: Mapping[str, str] = {
    "consul": "Address of Consul: http://HOST:8500 or https://HOST:8501.",
    "token_file": "File with the ACL token.",
    "ca": "File with the authority that has signed Consul's certificate. Default: the system's authorities.",
    "cert": "File with a client certificate; key goes with it.",
    "key": "File with the key of the client certificate.",
    "datacenter": "Datacenter. Default: that of the agent which is asked.",
    "dns": "HOST:PORT that answers for the catalog's DNS names. Default: the agent's host, port 8600.",
    "domain": "Domain of those names. Default consul.",
    "mesh": "true: services are called through Connect proxies, so that allow of a spec is enforced. Default false.",
}
"""Keys of a ``[catalogs.NAME]`` table."""

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "kubernetes": {
        "kubeconfig": "Path of the kubeconfig. Default: KUBECONFIG, then ~/.kube/config, then the pod that orchctl runs in.",
        "kube_context": "Context of the kubeconfig. Default: its current one.",
        "in_cluster": "true: use the service account of the pod that orchctl runs in, and nothing else. Default false.",
    },
    "local": {
        "secrets_dir": "Directory of secrets that a spec names without a provider: one file each.",
        "state_dir": "Directory under which each context has one of its own, orchctl-local/CONTEXT. Default: local/CONTEXT under orchctl's.",
    },
    "marathon": {
        "urls": "Addresses of Marathon's masters, a list: http://HOST:8080. Default: MARATHON_URL.",
        "auth": "Credentials: {user = NAME, password_file = PATH}, or {token_file = PATH} for DC/OS.",
        "ca": "File with the authority that has signed Marathon's certificate. Default: the system's authorities.",
        "mesos": "Addresses of the Mesos master, a list: what reading logs needs.",
        "dns_domain": "Domain under which Mesos-DNS names services. Default marathon.mesos.",
    },
    "swarm": {
        "host": "Address of a manager: unix:///PATH or tcp://HOST:PORT. Default: DOCKER_HOST, then the current docker context.",
        "tls": "Certificates for tcp: {ca = PATH, cert = PATH, key = PATH}.",
        "docker_context": "Name of a docker context to take address and certificates from; not together with host.",
    },
}
"""Keys that one backend adds, by its name."""

VARIABLES: Mapping[str, str] = {
    "ORCHCTL_CONFIG": "One configuration file instead of the project's and the user's.",
    "ORCHCTL_CONTEXT": "The context when --context and --backend are not given.",
    "ORCHCTL_STATE_DIR": "Directory of what orchctl keeps on this machine: journals, evidence, state of plain processes.",
    "ORCHCTL_FINGERPRINT_KEY": "Key of the fingerprints by which a rotated secret is noticed; give the same one to all CI machines.",
    "NO_COLOR": "Not empty: no colours, unless --color always.",
    "FORCE_COLOR": "Not empty and not 0: colours also where no terminal is.",
    "TERM": "dumb: no colours and no live view.",
    "CI": "Not empty: plain progress, and tables of 200 columns.",
    "GITHUB_ACTIONS": "true: annotations, a summary and outputs of the step.",
    "GITLAB_CI": "true: a section of the log for each service.",
    "XDG_CONFIG_HOME": "Where orchctl/config.toml is looked for. Default ~/.config.",
    "XDG_STATE_HOME": "Where the state is kept, in orchctl. Default ~/.local/state.",
    "XDG_CACHE_HOME": "Where names for completion are kept, in orchctl. Default ~/.cache.",
    "KUBECONFIG": "Kubeconfig files, for the backend kubernetes.",
    "DOCKER_HOST": "Address of the engine, for the backend swarm; DOCKER_TLS_VERIFY and DOCKER_CERT_PATH go with it.",
    "MARATHON_URL": "Addresses of Marathon, with commas between them, for the backend marathon.",
    "DOCKER_CONTEXT": "Docker context, for the backend swarm; DOCKER_CONFIG is where contexts are.",
}
"""What is read from the environment."""

FILES: Mapping[str, str] = {
    "orch.yaml, *.orch.yaml": "Specs of the working directory; NAME.prod.orch.yaml is laid over NAME.orch.yaml by --env prod.",
    ".env": "Variables for ${NAME} in specs of the same directory.",
    ".orchctl.toml": "The project's configuration, looked for upward to the root of the repository.",
    "~/.config/orchctl/config.toml": "The user's configuration; the project's stands over it.",
    "~/.local/state/orchctl": "State; ORCHCTL_STATE_DIR names another directory.",
}
