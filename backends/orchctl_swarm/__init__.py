"""Docker Swarm: one service per orchctl service, one overlay network per namespace, records as configs."""
