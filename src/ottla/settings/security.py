"""The settings of who may do what: the authorizer, and delegation tokens."""

from __future__ import annotations

from ottla.settings.checks import at_least, one_of
from ottla.settings.engine import Setting
from ottla.settings.table import SETTINGS
from ottla.settings.values import SettingKind

_BOOLEAN, _LONG, _STRING = SettingKind.BOOLEAN, SettingKind.LONG, SettingKind.STRING
_DAY_MS = 86_400_000

STANDARD_AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"

# ── access control ───────────────────────────────────────────────────────────────────────────────
AUTHORIZER_CLASS_NAME = SETTINGS.declare(
    _STRING,
    "authorizer.class.name",
    "",
    f"Who decides what clients may do: empty for nobody, so that all may do everything, or "
    f"{STANDARD_AUTHORIZER}, by the ACLs in the metadata log.",
    check=one_of("", STANDARD_AUTHORIZER),
)
SUPER_USERS: Setting[str | None] = SETTINGS.declare(
    _STRING,
    "super.users",
    None,
    "Principals who may do everything, whatever the ACLs say, as User:alice;User:bob. On a "
    "listener without authentication everybody is User:ANONYMOUS.",
)
ALLOW_EVERYONE_IF_NO_ACL_FOUND = SETTINGS.declare(
    _BOOLEAN,
    "allow.everyone.if.no.acl.found",
    default=False,
    doc="Whether a resource that no ACL is about is for everybody; without it, for super users.",
)

# ── delegation tokens ────────────────────────────────────────────────────────────────────────────
DELEGATION_TOKEN_SECRET_KEY: Setting[str | None] = SETTINGS.declare(
    SettingKind.PASSWORD,
    "delegation.token.secret.key",
    None,
    "Key that the secrets of delegation tokens are made with, the same on all brokers. Without it "
    "there are no tokens.",
)
DELEGATION_TOKEN_MAX_LIFETIME_MS = SETTINGS.declare(
    _LONG,
    "delegation.token.max.lifetime.ms",
    7 * _DAY_MS,
    "Milliseconds after which a token is over, however often it was renewed.",
    check=at_least(1),
)
DELEGATION_TOKEN_EXPIRY_TIME_MS = SETTINGS.declare(
    _LONG,
    "delegation.token.expiry.time.ms",
    _DAY_MS,
    "Milliseconds after which a token is over unless it is renewed.",
    check=at_least(1),
)
DELEGATION_TOKEN_EXPIRY_CHECK_INTERVAL_MS = SETTINGS.declare(
    _LONG,
    "delegation.token.expiry.check.interval.ms",
    3_600_000,
    "How often the cluster forgets tokens that are over.",
    check=at_least(1),
)
