"""The two base models of every message."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """The base of every message: frozen; unknown fields are ignored, since releases only add fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StrictModel(BaseModel):
    """Something a person writes: an unknown key is a mistake and is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")
