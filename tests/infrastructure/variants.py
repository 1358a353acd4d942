"""The configurations that are synthesised, one each for what `config.yaml` can switch."""

from __future__ import annotations

from typing import Any

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "default-again": {},
    "no-import": {"ahli_config": {"ahli_enabled": False}, "db_config": {"db_engine_pause": 0}},
    "edges": {
        "cdk_app_name": "clinic",
        "vpc_cidr": "10.9.0.0/24",
        "edge_config": [
            {
                "name": "edge1",
                "time_zone": "Europe/Berlin",
                "uplink": [{"days": "mon-fri", "hours": "08:00-18:00", "mbit": 20}],
                "full_warning_hours": 24,
            },
            {
                "name": "edge10",
                "trust_anchor": "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/"
                "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
            },
            {"name": "cloud", "device_type": "EC2", "dicom_networks": ["10.20.0.0/16", "192.168.7.0/24"]},
        ],
        "senders": [
            {"calling_ae": "CT1", "priority": "bulk", "series_quiet_seconds": 60, "prefer": "lossless"}
        ],
    },
    "dev": {"environment": "dev"},
    # Every name that is made of these must fit the service that it is for.
    "longest": {
        "cdk_app_name": "st-marys-hospital-imaging-production-one",
        "edge_config": [{"name": "radiology-edge1", "device_type": "EC2"}],
        "availability_zones": ["us-east-1b", "us-east-1d"],
    },
    "full": {
        "resource_tags": {"cost-centre": "radiology", "owner": "pacs"},
        "archive_retention_days": 0,
        "log_retention_days": 365,
        "alarm_emails": ["pacs@hospital.example"],
        "lambda_reservations": True,
        "ahli_config": {
            "ahli_endpoint": "https://imaging.example",
            "ahli_concurrent_imports": 7,
            "start_rate": 0.25,
            "start_burst": 1,
            "bundles": False,
            "bundle_patience_seconds": 30,
        },
        "db_config": {
            "db_name": "index_of_clinic",
            "min_acu_capacity": "ACU_2",
            "max_acu_capacity": 32,
            "db_engine_pause": 20,
        },
    },
}
