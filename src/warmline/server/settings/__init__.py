"""What an operator can set: one file, secrets from the environment, flags over both.

Each setting is declared once, in `tables`. Loading, checking, `warmline config`, the example file
and docs/reference/configuration.md are all made from that declaration.
"""

from __future__ import annotations

from warmline.server.settings.assignments import parse_assignments
from warmline.server.settings.catalogue import CATALOGUE, TABLES, Kind, Setting, Value, setting_named
from warmline.server.settings.dashboard_table import DashboardTable
from warmline.server.settings.example import example_file
from warmline.server.settings.failover_table import FailoverTable
from warmline.server.settings.history_table import HistoryTable
from warmline.server.settings.load import DEFAULT_FILE, LoadedSettings, load_settings
from warmline.server.settings.message_tables import StoreTable, WhatsAppTable
from warmline.server.settings.phone_tables import PhoneTable, TelnyxTable, TwilioTable
from warmline.server.settings.provider_tables import (
    AnthropicTable,
    DeepgramTable,
    ElevenLabsTable,
    OpenAiTable,
)
from warmline.server.settings.reference import reference_page
from warmline.server.settings.secret import Secret
from warmline.server.settings.sources import Source, SourceKind
from warmline.server.settings.tables import (
    AgentTable,
    KnowledgeTable,
    LimitsTable,
    LogTable,
    PlayoutTable,
    RecogniserTable,
    ServerTable,
    Settings,
    ToolsTable,
    VoiceTable,
)
from warmline.server.settings.turn_tables import DraftsTable, TurnsTable

__all__ = [
    "CATALOGUE",
    "DEFAULT_FILE",
    "TABLES",
    "AgentTable",
    "AnthropicTable",
    "DashboardTable",
    "DeepgramTable",
    "DraftsTable",
    "ElevenLabsTable",
    "FailoverTable",
    "HistoryTable",
    "Kind",
    "KnowledgeTable",
    "LimitsTable",
    "LoadedSettings",
    "LogTable",
    "OpenAiTable",
    "PhoneTable",
    "PlayoutTable",
    "RecogniserTable",
    "Secret",
    "ServerTable",
    "Setting",
    "Settings",
    "Source",
    "SourceKind",
    "StoreTable",
    "TelnyxTable",
    "ToolsTable",
    "TurnsTable",
    "TwilioTable",
    "Value",
    "VoiceTable",
    "WhatsAppTable",
    "example_file",
    "load_settings",
    "parse_assignments",
    "reference_page",
    "setting_named",
]
