"""All projections, in the order in which they are given an event and write."""

from __future__ import annotations

from typing import Final

from projections.core.base import Projection
from projections.models.alerts import Alerts
from projections.models.config_changes import ConfigChanges
from projections.models.configurations import Configurations
from projections.models.incidents import Incidents
from projections.models.metric_blocks import MetricBlocks
from projections.models.mode_changes import ModeChanges
from projections.models.operations import Operations
from projections.models.system_state import SystemStates
from projections.models.timeline import Timeline

# MetricBlocks marks rows of the incident table, which therefore have to be written before it.
PROJECTIONS: Final[tuple[type[Projection], ...]] = (
    SystemStates,
    Timeline,
    ModeChanges,
    Configurations,
    ConfigChanges,
    Alerts,
    Operations,
    Incidents,
    MetricBlocks,
)


def tables() -> list[tuple[type[Projection], str]]:
    """Return every table with its projection."""
    return [(projection, table) for projection in PROJECTIONS for table in projection.tables]
