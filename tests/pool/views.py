"""What is seen of pools, made up."""

from warmline.pool.view import PoolView

__all__ = ["pool_view"]


def pool_view(name: str = "openai", kind: str = "http", region: str = "api.test", **figures) -> PoolView:
    """Return one of which only what matters is said."""
    told = {
        "is_current": True,
        "idle": 2,
        "leased": 0,
        "opening": 0,
        "draining": 0,
        "waiting": 0,
        "warm_target": 2,
        "most": 10,
        "opened": 12,
        "oldest_s": 412.0,
        "round_trip_s": None,
        "is_broken": False,
        "problem": "",
        **figures,
    }
    return PoolView(name=name, kind=kind, region=region, **told)
