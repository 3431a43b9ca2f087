"""The contract classes. Subclass one in a module that has a ``world`` fixture; never override a test."""

from orchctl.testing.contract.capability import CapabilityContract
from orchctl.testing.contract.delete import DeleteContract
from orchctl.testing.contract.deploy import DeployContract
from orchctl.testing.contract.discover import DiscoverContract
from orchctl.testing.contract.failure import FailureContract
from orchctl.testing.contract.history import HistoryContract
from orchctl.testing.contract.load import LoadContract
from orchctl.testing.contract.race import RaceContract
from orchctl.testing.contract.scale import ScaleContract
from orchctl.testing.contract.several import SeveralContract
from orchctl.testing.contract.store import StoreContract

__all__ = [
    "CapabilityContract",
    "DeleteContract",
    "DeployContract",
    "DiscoverContract",
    "FailureContract",
    "HistoryContract",
    "LoadContract",
    "RaceContract",
    "ScaleContract",
    "SeveralContract",
    "StoreContract",
]
