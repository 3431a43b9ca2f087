"""A real Consul of our own: one server agent on loopback, with data that outlives it.

In a test, ask for a fixture (one server for the whole run of a worker; skipped with the reason where none can run)::

    def test_something(consul: Consul) -> None:          # open to everybody
        consul.api.put("/v1/kv/a", b"1")                 # without any client library: what tests measure against
        print(consul.url)                                # "http://127.0.0.1:PORT"

    def test_rights(secured_consul: Consul) -> None:     # ACLs, everything denied by default, and TLS
        token = secured_consul.token_for('key_prefix "orchctl/" { policy = "write" }')
        secured_consul.api                               # may do everything; secured_consul.ca is the authority's file

Mark such tests ``world_consul`` (or the world they belong to). A server of a test's own, to be killed, frozen or
set up differently::

    with Consul(acl=True, grpc=True, settings={"log_level": "debug"}) as consul:
        consul.kill()                                    # SIGKILL; its data stays
        consul.start()                                   # same ports, same data; returns when it has a leader
        consul.freeze(); consul.thaw()                   # SIGSTOP, SIGCONT

``tests.servers.consul.connect`` has services behind its Connect proxy (of the ``local`` backend) and callers of them.

``Front`` (``tests.servers.consul.front``) stands before any of them, counts requests and loses answers.
"""
