"""The capability map is total, has reasons, and what it refuses is refused before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.capability import Feature, Support, used_features
from orchctl.core.plan import Policy
from orchctl.errors import UnsupportedFeature
from orchctl.testing.driver import Driver
from orchctl.testing.features import service_using, service_using_all
from orchctl.testing.world import World

_POLICIES = {
    Support.EMULATED: Policy.EMULATE,
    Support.WARNED: Policy.WARN,
    Support.NOT_YET: Policy.REJECT,
    Support.UNSUPPORTED: Policy.REJECT,
}


class CapabilityContract:
    def test_every_feature_is_claimed(self, world: World) -> None:
        assert set(world.backend.capabilities()) == set(Feature)

    def test_every_answer_but_native_has_its_reason(self, world: World) -> None:
        claims = world.backend.capabilities()
        assert [f for f, c in claims.items() if c.support is not Support.NATIVE and len(c.reason) < 10] == []

    @pytest.mark.parametrize("feature", [f for f in Feature if service_using(f) is not None])
    def test_the_claim_is_what_check_says(self, world: World, feature: Feature) -> None:
        service = service_using(feature)
        assert service is not None
        assert feature in {f for f, _ in used_features(service)}
        claim = world.backend.capabilities()[feature]
        issues = [i for i in world.backend.check(service) if i.message == claim.reason]
        if claim.support is Support.NATIVE:
            assert issues == []
        else:
            assert {i.policy for i in issues} == {_POLICIES[claim.support]}

    @pytest.mark.parametrize("feature", [f for f in Feature if service_using(f) is not None])
    def test_what_is_not_refused_can_be_rendered_and_what_is_cannot(self, world: World, feature: Feature) -> None:
        service = service_using(feature)
        assert service is not None
        if any(i.policy is Policy.REJECT for i in world.backend.check(service)):
            with pytest.raises(UnsupportedFeature):
                world.backend.render(service)
        else:
            assert world.backend.render(service) == world.backend.render(service)

    def test_all_refusals_come_at_once_and_nothing_is_sent(self, world: World, driver: Driver) -> None:
        refused = [f for f, c in world.backend.capabilities().items() if _POLICIES.get(c.support) is Policy.REJECT]
        if not refused:
            pytest.skip("this backend refuses nothing")
        service = service_using_all(refused)
        expected = [i for i in world.backend.check(service) if i.policy is Policy.REJECT]
        writes = world.writes()
        with pytest.raises(UnsupportedFeature) as caught:
            driver.deploy(replace(service, namespace=world.context.namespace))
        assert set(caught.value.refusals) == {(i.path, i.message) for i in expected}
        assert world.writes() == writes
