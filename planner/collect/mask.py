"""Values of keys, passwords, tokens and communities in a text, replaced: names stay, so that a reader sees there is one."""

import re

from planner.models.node import MASK

_NAME = (
    r"[A-Za-z0-9_.\-]*?(?:pass(?:word|wd|phrase)|(?<![A-Za-z])pass|secret|token|psk|private[-_]?key|preshared[-_]?key|"
    r"wep[-_]?key|wireless-key|api[-_]?key|access[-_]?key|auth[-_]?key|encryption[-_]?key|client[-_]?key(?:[-_]?data)?|"
    r"mka[-_]cak|credentials?)\d*"
)
_VALUE = r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[^\s\"',;}\]]+"
# After a colon a blank or quote is wanted: `default/vault-secret:http` is a Service and its port.
_PAIR = re.compile(
    rf"(?P<head>(?<![A-Za-z0-9_.\-])(?:{_NAME}[ \t]*=[ \t]*|[\"']{_NAME}[\"'][ \t]*[=:][ \t]*|{_NAME}:(?:[ \t]+|(?=[\"']))"
    rf"|(?:password|passwd|passphrase|psk):))(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_LINE = re.compile(
    rf"(?P<head>^[ \t]*(?:- )?(?:export )?{_NAME}[ \t]*(?:=|:[ \t])[ \t]*)(?P<value>[^\s\"'|>][^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line of its own without quotes: the value goes to its end."""
_PLAIN = frozenset({"true", "false", "yes", "no", "null", "none", "~", "|", ">", "''", '""'})
"""Values that say nothing secret."""
_BLOCK = re.compile(
    rf"(?P<head>^(?P<indent>[ \t]*)(?:- )?[\"']?{_NAME}[\"']?[ \t]*:[ \t]*[|>][-+0-9]*[ \t]*)\n"
    rf"(?:(?P=indent)[ \t]+.*(?:\n|\Z)|[ \t]*\n)+",
    re.IGNORECASE | re.MULTILINE,
)
_SPACED = re.compile(
    r"(?P<head>^[ \t]*(?:wpa-psk|wpa-passphrase|wireless-key\d*|rocommunity6?|rwcommunity6?|trapcommunity|password|secret"
    r"|com2sec[ \t]+\S+[ \t]+\S+)[ \t]+)(?P<value>\S+)",
    re.IGNORECASE | re.MULTILINE,
)
_COMMUNITY = re.compile(r"(?P<head>\bcommunity[ \t]*[=: \t][ \t]*)(?P<value>\"[^\"]*\"|\S+)", re.IGNORECASE)
_IPSEC = re.compile(r"(?P<head>:[ \t]*(?:PSK|EAP|XAUTH|NTLM|PIN)[ \t]+)(?P<value>\"[^\"]*\"|\S+)")
_URL = re.compile(r"(?P<head>\b[A-Za-z][A-Za-z0-9+.\-]*://)(?P<value>[^\s/@:\"']+(?::[^\s/@\"']*)?)@")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|SECRET)[A-Z0-9 ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL
)
_BEARER = re.compile(r"(?P<head>\b(?:Bearer|Basic)[ \t]+)(?P<value>[A-Za-z0-9+/=_.\-]{8,})")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*")
_BASE64_KEY = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{43}=(?![A-Za-z0-9+/=])")
"""32 octets in base64: what WireGuard calls a key, private and public alike."""


def _pair(found: re.Match[str]) -> str:
    value = found.group("value")
    if MASK in value or value.strip().lower() in _PLAIN:
        return found.group(0)
    quote = value[0] if value[0] in "\"'" else ""
    return f"{found.group('head')}{quote}{MASK}{quote}"


_WORDS = re.compile(
    r"pass|secret|token|psk|key|cak|credential|communit|com2sec|bearer|basic|eyJ|BEGIN|EAP|XAUTH|NTLM|PIN|://",
    re.IGNORECASE,
)
"""Without one of these there is nothing to mask but a bare key: most rules have none."""


def mask_secrets(text: str) -> str:
    """The text with the values of keys, passwords, tokens and communities replaced, and nothing else."""
    if _WORDS.search(text):
        text = _masked(text)
    return _BASE64_KEY.sub(MASK, text) if len(text) >= 44 and "=" in text else text


def _masked(text: str) -> str:
    text = _PEM.sub(MASK, text)
    text = _BLOCK.sub(lambda found: f"{found.group('head').rstrip().rstrip('|>-+0123456789')}{MASK}\n", text)
    for pattern in (_LINE, _PAIR, _SPACED, _COMMUNITY, _IPSEC, _BEARER):
        text = pattern.sub(_pair, text)
    text = _URL.sub(lambda found: f"{found.group('head')}{MASK}@", text)
    return _JWT.sub(MASK, text)
