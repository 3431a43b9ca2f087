"""Real servers for tests: started here, bounded in time, stopped by their own pids."""
