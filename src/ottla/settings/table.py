"""The one table of all settings of a broker; the modules beside it declare into it."""

from __future__ import annotations

from typing import Final

from ottla.settings.engine import SettingTable

SETTINGS: Final = SettingTable("broker setting")
