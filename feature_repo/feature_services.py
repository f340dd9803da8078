"""Feature services: the model contracts of the catalogue, and the quality that a lookup reads beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feast import FeatureService

from schemas.catalogue import Service, load_catalogue

if TYPE_CHECKING or __package__:
    from .feature_views import FEATURE_VIEWS
else:
    from feature_views import FEATURE_VIEWS


def _contract_service(service: Service) -> FeatureService:
    """Return the service with exactly the model's features.

    Feast groups features by view and keeps no order across views, so the model's own order travels in the tag `order`.
    """
    wanted = set(service.features)
    projections = [
        view[[field.name for field in view.features if field.name in wanted]]
        for view in FEATURE_VIEWS
        if any(field.name in wanted for field in view.features)
    ]
    return FeatureService(
        name=service.name,
        features=projections,
        description=service.description,
        tags={"model": service.model, "order": ",".join(service.features)},
    )


def _services() -> list[FeatureService]:
    quality = next(view for view in FEATURE_VIEWS if view.name == "row_quality")
    return [
        *(_contract_service(service) for service in load_catalogue().services),
        FeatureService(name="row_quality", features=[quality], description=quality.description),
    ]


FEATURE_SERVICES: tuple[FeatureService, ...] = tuple(_services())
"""Every service; `row_quality` stands apart so that the contracts stay exact."""

# `feast apply` finds objects by looking at the names of the module. The service of the quality view must not hide the view.
globals().update({f"{service.name}_service": service for service in FEATURE_SERVICES})
