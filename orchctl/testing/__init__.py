"""The conformance kit: contract classes that every backend passes, and what a backend under test must offer.

Shipped in the wheel, so that adapters outside this tree prove themselves with the same tests::

    from orchctl.testing import contract

    class TestDeploy(contract.DeployContract): ...   # with a ``world`` fixture that yields a World
"""
