"""``/v2/info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine

FRAMEWORK = "5a5e4f1c-9d3b-4b0f-8a37-3b1f3f5d0001-0000"
BUILD = "79889a6e3cc2dd3dcc7c70c74fe7499275adae46"


def info(engine: Engine, own: str, leader: str | None) -> dict[str, Any]:
    """``own`` and ``leader`` are host:port; the leader of a cluster without one is null."""
    host, _, port = own.partition(":")
    return {
        "name": "marathon",
        "version": engine.options.version,
        "buildref": BUILD,
        "elected": own == leader,
        "leader": leader,
        "frameworkId": FRAMEWORK,
        "marathon_config": _configuration(engine, host),
        "zookeeper_config": _ZOOKEEPER,
        "http_config": {"http_port": int(port), "https_port": 8443},
    }


def _configuration(engine: Engine, host: str) -> dict[str, Any]:
    options, role = engine.options, engine.options.role
    return {
        "access_control_allow_origin": None,
        "checkpoint": True,
        "decline_offer_duration": 120000,
        "default_network_name": None,
        "env_vars_prefix": None,
        "executor": "//cmd",
        "failover_timeout": 604800,
        "features": sorted(options.features),
        "framework_name": "marathon",
        "ha": True,
        "hostname": host,
        "launch_token": 100,
        "launch_token_refresh_interval": 30000,
        "leader_proxy_connection_timeout_ms": 5000,
        "leader_proxy_read_timeout_ms": 10000,
        "local_port_max": 20000,
        "local_port_min": 10000,
        "master": "zk://127.0.0.1:2181/mesos",
        "max_instances_per_offer": 5,
        "mesos_bridge_name": "mesos-bridge",
        "mesos_heartbeat_failure_threshold": 5,
        "mesos_heartbeat_interval": 15000,
        "mesos_leader_ui_url": engine.mesos_url + "/",
        "mesos_role": None if role == "*" else role,
        "mesos_user": "root",
        "min_revive_offers_interval": int(options.min_revive * 1000),
        "offer_matching_timeout": 3000,
        "on_elected_prepare_timeout": 180000,
        "reconciliation_initial_delay": 15000,
        "reconciliation_interval": 600000,
        "revive_offers_for_new_apps": True,
        "revive_offers_repetitions": 3,
        "scale_apps_initial_delay": 15000,
        "scale_apps_interval": 300000,
        "store_cache": True,
        "task_launch_confirm_timeout": 300000,
        "task_launch_timeout": 300000,
        "task_lost_expunge_initial_delay": 300000,
        "task_lost_expunge_interval": 30000,
        "task_reservation_timeout": 20000,
        "webui_url": None,
        "maintenance_mode": True,
    }


_ZOOKEEPER = {
    "zk": "zk://127.0.0.1:2181/marathon",
    "zk_compression": True,
    "zk_compression_threshold": 65536,
    "zk_connection_timeout": 10000,
    "zk_max_node_size": 1024000,
    "zk_max_versions": 50,
    "zk_session_timeout": 10000,
    "zk_timeout": 10000,
}
